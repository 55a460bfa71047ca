// SPDX-License-Identifier: BSD-3-Clause
#include "core/stream/streamed_image.h"

#include "core/target/chunk.h"
#include "tests/unit/packed_image.h"

using namespace gptgrow;

TEST_CASE("What lies behind the end of the target, and was not kept, cannot be read again")
{
  TestDisk long_disk = two_partitions();
  long_disk.sectors = long_disk.disk_end = 20'000;
  const Packed image(long_disk.bytes());
  Recorder target(1000 * 512);
  const auto streamed = image.received(target);
  CHECK_THROWS_WITH(read_bytes(*streamed, {2000 * 512, 512}),
                    ContainsSubstring("lie behind the end of target and are needed again"));
}

namespace {

/// A disk that was written to a target, but for its table and `zeros`.
struct Written {
  Written()
  {
    const Packed image(disk);
    head = open_stream(image.file.path(), {}, "")->head();
    parts.size_bytes = disk.size();
    const auto hold = [&](ByteRange range) {
      const auto begin = disk.begin() + static_cast<std::ptrdiff_t>(range.offset);
      parts.held.push_back({range.offset, {begin, begin + static_cast<std::ptrdiff_t>(range.size)}});
    };
    hold({0, 48 * 512});
    hold({479 * 512, 33 * 512});
    parts.zeros = {kZeros};
    for (ByteRange rest{48 * 512, 431 * 512}; rest.size != 0;) {
      const ByteRange run =
          rest.offset == kZeros.offset ? kZeros : clip(rest, rest.offset < kZeros.offset ? kZeros.offset : rest.end());
      if (run != kZeros)
        for (ByteRange left = run; left.size != 0;) {
          const ByteRange chunk = first_chunk(left);
          parts.checksums.put(chunk.offset, checksum(std::span(disk).subspan(chunk.offset, chunk.size)));
          left = {chunk.end(), left.size - chunk.size};
        }
      rest = {run.end(), rest.end() - run.end()};
    }
  }

  static std::vector<std::byte> bytes()
  {
    auto bytes = two_partitions().bytes();
    std::fill_n(bytes.begin() + kZeros.offset, kZeros.size, std::byte{0});
    return bytes;
  }

  static constexpr ByteRange kZeros{110 * 512, 50 * 512};

  std::vector<std::byte> disk = bytes();
  std::shared_ptr<const HeadImage> head;
  StreamedImage::Parts parts;
};

std::vector<std::byte> without_table(std::vector<std::byte> disk)
{
  std::fill_n(disk.begin(), 48 * 512, std::byte{0xee});
  std::fill_n(disk.end() - 33 * 512, 33 * 512, std::byte{0xee});
  return disk;
}

}  // namespace

TEST_CASE("A disk that has passed is read from what was held, from zeros, and from the target")
{
  const Written written;
  const MemorySource target(without_table(written.disk));
  const StreamedImage image(written.head, written.parts, target);
  CHECK(image.size_bytes() == written.disk.size());
  CHECK(read_bytes(image, {0, written.disk.size()}) == written.disk);
  CHECK(image.name() == written.head->name());
  CHECK(image.version() == written.head->version());
  CHECK(image.modified()->tv_sec == written.head->modified()->tv_sec);
  CHECK(image.stored_in() == written.head->stored_in());

  CHECK(image.is_held(0));
  CHECK_FALSE(image.is_held(48 * 512));
  CHECK(image.is_held(479 * 512));
  CHECK_FALSE(image.is_held(written.disk.size()));
  CHECK(image.extent({512, 100'000}).size == 47 * 512);
  CHECK(image.extent({48 * 512, 100'000}).size == 62 * 512);
  CHECK(image.extent({110 * 512, 100'000}).size == 50 * 512);
  CHECK(image.extent({110 * 512, 100'000}).hole);
  CHECK(image.extent({160 * 512, 352 * 512}).size == 319 * 512);
  CHECK(image.extent({500 * 512, 12 * 512}).size == 12 * 512);
}

TEST_CASE("Checksums are taken anew where the disk that is made is cut into other chunks")
{
  const Written written;
  // A larger one has no table where the old backup was; a smaller one has its own where there was data.
  for (const std::uint64_t sectors : {700, 440}) {
    auto bytes = without_table(written.disk);
    bytes.resize(std::max<std::uint64_t>(sectors, 512) * 512);
    const MemorySource target(bytes);
    const auto image = std::make_shared<StreamedImage>(written.head, written.parts, target);
    const Disk disk(image, {sectors * 512}, {});
    image->settle_checksums(disk, StreamedImage::WhenChanged::refuse);
    std::size_t chunks = 0;
    for_each_piece(disk, [&](const Piece& piece) {
      for (ByteRange rest = piece.range; piece.is_data() && rest.size != 0;) {
        const ByteRange chunk = first_chunk(rest);
        if (!image->is_held(chunk.offset)) {
          CHECK(image->checksums().are_same(chunk.offset, read_bytes(disk, chunk)) == true);
          ++chunks;
        }
        rest = {chunk.end(), rest.size - chunk.size};
      }
    });
    CHECK(chunks > 2);
  }
}

TEST_CASE("What is not on the target any more is refused, or left without a checksum")
{
  Written written;
  auto bytes = without_table(written.disk);
  bytes[200 * 512] ^= std::byte{1};
  const MemorySource target(bytes);
  // No chunk of this begins where one of the disk does.
  written.parts.checksums = {};
  const auto begin = std::span(written.disk).subspan(48 * 512, 62 * 512),
             end = std::span(written.disk).subspan(160 * 512, 319 * 512);
  written.parts.checksums.put(48 * 512, checksum(begin));
  written.parts.checksums.put(161 * 512, checksum(end));
  const auto image = std::make_shared<StreamedImage>(written.head, written.parts, target);
  const Disk disk(image, {written.disk.size()}, {});
  CHECK_THROWS_WITH(image->settle_checksums(disk, StreamedImage::WhenChanged::refuse),
                    ContainsSubstring("are not what was written there a moment ago"));
  CHECK_NOTHROW(image->settle_checksums(disk, StreamedImage::WhenChanged::leave));
  CHECK_FALSE(image->checksums().has(160 * 512));
}
