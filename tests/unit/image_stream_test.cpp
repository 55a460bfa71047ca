// SPDX-License-Identifier: BSD-3-Clause
#include "core/stream/image_stream.h"

#include "core/error.h"
#include "tests/unit/packed_image.h"

using namespace gptgrow;

namespace {

std::vector<std::byte> emptied(std::vector<std::byte> disk)
{
  std::fill(disk.begin() + 1000 * 512, disk.begin() + 3000 * 512, std::byte{0});
  return disk;
}

}  // namespace

TEST_CASE("What passes is the disk, and no table of it is written")
{
  const Packed image(emptied(mostly_empty().bytes()));
  for (const std::uint64_t size : {image.disk.size(), image.disk.size() + (1 << 20)}) {
    Recorder target(size);
    const auto streamed = image.received(target);
    CHECK(target.read_of_file == image.size);
    CHECK(streamed->size_bytes() == image.disk.size());
    CHECK(read_bytes(*streamed, {0, image.disk.size()}) == image.disk);
    CHECK(read_bytes(target, {1000 * 512, 2000 * 512}) == std::vector<std::byte>(2000 * 512));
    CHECK(read_bytes(target, {512, 8}) == std::vector<std::byte>(8, std::byte{0xa5}));
    CHECK(read_bytes(target, {4095 * 512, 8}) == std::vector<std::byte>(8, std::byte{0xa5}));
    CHECK(streamed->is_held(512));
    CHECK(streamed->is_held(4095 * 512));
    CHECK_FALSE(streamed->is_held(1000 * 512));
    CHECK(streamed->extent({512 * 1024, 2048}).hole);
  }
}

TEST_CASE("Asked to stop, it stops and has nothing")
{
  const Packed image(mostly_empty().bytes());
  Recorder target(image.disk.size());
  target.stop_at = 1 << 20;
  CHECK(image.received(target) == nullptr);
  CHECK(target.written.back().end() < image.disk.size());
}

TEST_CASE("A checksum is of the file, or of the disk inside, or refused")
{
  const Packed image(mostly_empty().bytes());
  const auto sha256 = [](std::span<const std::byte> bytes) {
    Sha256 sum;
    sum.add(bytes);
    return sum.hex();
  };
  Recorder target(image.disk.size());
  CHECK(image.received(target, sha256(image.disk)));
  Recorder again(image.disk.size());
  CHECK(image.received(again, sha256(packed(Compression::zstd, image.disk))));
  Recorder third(image.disk.size());
  CHECK_THROWS_WITH(image.received(third, sha256(std::span(image.disk).first(100))),
                    ContainsSubstring("expected " + sha256(std::span(image.disk).first(100))));
}

TEST_CASE("A disk with a table is raw, whatever its first bytes are")
{
  for (const std::string_view magic : {"\x1f\x8b\x08", "BZh9", "\x28\xb5\x2f\xfd"}) {
    auto disk = mostly_empty().bytes();
    std::ranges::copy(std::as_bytes(std::span(magic)), disk.begin());
    const Packed image(disk, Compression::none);
    CHECK_FALSE(is_stream(image.file.path()));
    Recorder target(disk.size());
    CHECK(read_bytes(*image.received(target), {0, disk.size()}) == disk);
  }
  CHECK(is_stream(Packed(mostly_empty().bytes(), Compression::gzip).file.path()));
}

TEST_CASE("What cannot be read once is refused")
{
  auto disk = mostly_empty().bytes();
  CHECK_THROWS_WITH(open_stream(Packed(disk).file.path(), {.table = TableChoice::backup}, ""),
                    ContainsSubstring("unpack it"));
  disk[512 + 16] ^= std::byte{1};
  CHECK_THROWS_WITH(open_stream(Packed(disk).file.path(), {}, ""), ContainsSubstring("CRC 0x"));
  disk.resize(700);
  CHECK_THROWS_WITH(open_stream(Packed(disk).file.path(), {}, ""), ContainsSubstring("too short"));
}
