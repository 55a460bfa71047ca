// SPDX-License-Identifier: BSD-3-Clause
#include "core/restore/read_once.h"

#include "core/target/chunk.h"
#include "tests/unit/packed_image.h"
#include "tests/unit/redirected.h"

using namespace gptgrow;

namespace {

/// An image that is packed, and a target that was made of it.
struct ReadAndCompared {
  explicit ReadAndCompared(std::uint64_t sectors, std::size_t changed_chunks)
      : packed([&] {
          TestDisk disk = two_partitions();
          disk.sectors = disk.disk_end = sectors;
          return disk.bytes();
        }())
  {
    auto written = packed.disk;
    for (std::size_t i = 0; i < changed_chunks; ++i)
      written[(i + 1) * kChunkBytes + 77] ^= std::byte{1};
    target_file.write(0, {reinterpret_cast<const char*>(written.data()), written.size()});
  }

  std::shared_ptr<StreamedImage> read() { return read(packed.file.path()); }

  std::shared_ptr<StreamedImage> read(const std::string& name)
  {
    target.emplace(target_file.path());
    stream = open_stream(name, {}, "");
    return read_once(*stream, *target, monitor);
  }

  Packed packed;
  TemporaryFile target_file;
  std::optional<DirectSource> target;
  std::shared_ptr<ImageStream> stream;
  Monitor monitor;
};

}  // namespace

TEST_CASE("What is the same on the target is not kept, and has a checksum; what differs is kept")
{
  ReadAndCompared fixture(8192, 2);
  const auto image = fixture.read();
  REQUIRE(image);
  CHECK(read_bytes(*image, {0, image->size_bytes()}) == fixture.packed.disk);
  for (const std::uint64_t chunk : {1, 2}) {
    CHECK(image->is_held(chunk * kChunkBytes));
    CHECK_FALSE(image->checksums().has(chunk * kChunkBytes));
  }
  CHECK_FALSE(image->is_held(3 * kChunkBytes));
  CHECK(image->checksums().are_same(3 * kChunkBytes,
                                    std::span(fixture.packed.disk).subspan(3 * kChunkBytes, kChunkBytes)) == true);
  CHECK(fixture.monitor.phase == Monitor::Phase::reading);
  CHECK(fixture.monitor.total_bytes == fixture.packed.size);
  CHECK(fixture.monitor.done_bytes == fixture.packed.size);
  CHECK(fixture.monitor.made_bytes == fixture.packed.disk.size());
}

TEST_CASE("Of a target that is another disk, not all is kept in memory: what was read is told by its checksums")
{
  constexpr std::size_t kMost = 32;
  ReadAndCompared fixture((kMost + 6) * kChunkBytes / 512, kMost + 3);
  const auto image = fixture.read();
  REQUIRE(image);
  CHECK(image->is_held(kMost * kChunkBytes));
  CHECK_FALSE(image->is_held((kMost + 1) * kChunkBytes));
  const std::uint64_t at = (kMost + 2) * kChunkBytes;
  CHECK(image->checksums().are_same(at, std::span(fixture.packed.disk).subspan(at, kChunkBytes)) == true);
}

TEST_CASE("Of a pipe it is not known how much there is to read")
{
  ReadAndCompared fixture(8192, 0);
  const FileDescriptor fd(::open(fixture.packed.file.path().c_str(), O_RDONLY | O_CLOEXEC));
  const Redirected redirected(fd.get());
  REQUIRE(fixture.read("-"));
  CHECK(fixture.monitor.total_bytes == 0);
  CHECK(fixture.monitor.done_bytes == fixture.packed.size);
}

TEST_CASE("Asked to stop, there is no image")
{
  ReadAndCompared fixture(8192, 0);
  fixture.monitor.stop = true;
  CHECK_FALSE(fixture.read());
}
