// SPDX-License-Identifier: BSD-3-Clause
#include "core/restore/stream_writer.h"

#include "tests/unit/limit.h"
#include "tests/unit/temporary_folder.h"

#include "core/target/chunk.h"

#include <system_error>

using namespace gptgrow;

namespace {

constexpr std::uint64_t kWrittenBytes = 12 * kChunkBytes;

struct WriterFixture {
  /// Writes chunks of which each byte is `value`, each 700 bytes shorter than the next one begins.
  Checksums write_all(std::byte value, bool is_new = true)
  {
    StreamWriter writer(target, is_new, earlier, checkpoints, monitor);
    for (std::uint64_t at = 0; at < kWrittenBytes; at += kChunkBytes) {
      const std::size_t size = at % (2 * kChunkBytes) == 0 ? kChunkBytes : kChunkBytes - 700;
      const std::span<std::byte> buffer = writer.buffer();
      CHECK(writer.buffer().data() == buffer.data());
      std::ranges::fill(buffer.first(size), value);
      CHECK_FALSE(writer.write({at, size}, buffer.first(size)));
    }
    writer.progress(10, 20);
    return writer.finish();
  }

  TemporaryFolder folder;
  std::string no_map;
  DeviceTarget target{folder / "target", 2 * kWrittenBytes};
  ProgressMap earlier{{"", "", 2 * kWrittenBytes, 0, ""}}, map = earlier;
  Monitor monitor;
  Checkpoints checkpoints{target, no_map, map, monitor};
};

}  // namespace

TEST_CASE("More chunks than there are buffers are written, known to the map, and have their checksums")
{
  WriterFixture fixture;
  const Checksums sums = fixture.write_all(std::byte{'a'});
  for (std::uint64_t at = 0; at < kWrittenBytes; at += 2 * kChunkBytes) {
    const auto whole = read_bytes(fixture.target, {at, kChunkBytes}),
               second = read_bytes(fixture.target, {at + kChunkBytes, kChunkBytes - 700});
    CHECK((whole == std::vector<std::byte>(kChunkBytes, std::byte{'a'})));
    CHECK(sums.are_same(at, whole) == true);
    CHECK(sums.are_same(at + kChunkBytes, second) == true);
    CHECK(is_zero(read_bytes(fixture.target, {at + 2 * kChunkBytes - 700, 700})));
    CHECK(fixture.map.first_missing(at) == at + 2 * kChunkBytes - 700);
  }
  CHECK(fixture.monitor.done_bytes == 10);
  CHECK(fixture.monitor.made_bytes == 20);
}

TEST_CASE("What an earlier run wrote is written again where it is not what comes now")
{
  WriterFixture fixture;
  (void)fixture.write_all(std::byte{'a'});
  fixture.earlier.add({0, kWrittenBytes});
  fixture.target.write(3 * kChunkBytes + 5, std::vector<std::byte>(1, std::byte{'?'}));
  fixture.map = ProgressMap(fixture.map.identity());
  (void)fixture.write_all(std::byte{'a'});
  CHECK(fixture.map.first_missing(0) == 0);  // nothing was written but this
  CHECK(fixture.map.first_missing(3 * kChunkBytes) == 4 * kChunkBytes - 700);
  CHECK(read_bytes(fixture.target, {3 * kChunkBytes + 5, 1}).front() == std::byte{'a'});
}

TEST_CASE("Zeros are made on a target that holds something else, but not again, and not on a new file")
{
  for (const bool is_new : {true, false}) {
    WriterFixture fixture;
    (void)fixture.write_all(std::byte{'a'});
    fixture.earlier.add({4 * kChunkBytes, kChunkBytes});
    StreamWriter writer(fixture.target, is_new, fixture.earlier, fixture.checkpoints, fixture.monitor);
    writer.zero({0, kChunkBytes});
    writer.zero({4 * kChunkBytes, kChunkBytes});
    (void)writer.finish();
    CHECK(is_zero(read_bytes(fixture.target, {0, kChunkBytes})) == !is_new);
    CHECK_FALSE(is_zero(read_bytes(fixture.target, {4 * kChunkBytes, kChunkBytes})));
  }
}

TEST_CASE("An error of one write comes out, of the next call or at the end")
{
  WriterFixture fixture;
  const FileSizeLimit limit(5 * kChunkBytes);
  CHECK_THROWS_WITH(fixture.write_all(std::byte{'a'}), ContainsSubstring("File too large"));
  CHECK(fixture.map.first_missing(6 * kChunkBytes) == 6 * kChunkBytes);
}
