// SPDX-License-Identifier: BSD-3-Clause
#include "core/stream/head_image.h"

#include "tests/unit/packed_image.h"

using namespace gptgrow;

TEST_CASE("The head is a disk as its table describes it")
{
  const Packed image(mostly_empty().bytes());
  const auto stream = open_stream(image.file.path(), {}, "");
  const HeadImage& head = *stream->head();
  CHECK(head.size_bytes() == image.disk.size());
  CHECK(head.primary().alternate_lba() == Lba{4095});
  CHECK(read_bytes(head, {0, 34 * 512}) == std::vector<std::byte>(image.disk.begin(), image.disk.begin() + 34 * 512));
  CHECK(read_bytes(head, {4063 * 512, 33 * 512}) ==
        std::vector<std::byte>(image.disk.end() - 33 * 512, image.disk.end()));
  CHECK(head.extent({1000 * 512, 2000 * 512}).hole);
}

TEST_CASE("A table far from the beginning of the disk, or for sectors of a size that is not asked for, is not taken")
{
  TestDisk disk = two_partitions();
  disk.sectors = disk.disk_end = 70'000;
  disk.primary_array_lba = 65'600;
  disk.first_usable_lba = 65'700;
  disk.entries.clear();
  const Packed far(disk.bytes());
  CHECK_THROWS_WITH(open_stream(far.file.path(), {}, ""), ContainsSubstring("at most 33554432 in what is read once"));

  const Packed image(mostly_empty().bytes());
  CHECK_NOTHROW(open_stream(image.file.path(), {.sector_size_bytes = 512}, ""));
  CHECK_THROWS_WITH(open_stream(image.file.path(), {.sector_size_bytes = 4096}, ""), ContainsSubstring("no GPT"));
  TestDisk large = two_partitions();
  large.sector_size = 4096;
  const Packed of_large_sectors(large.bytes());
  CHECK_NOTHROW(open_stream(of_large_sectors.file.path(), {.sector_size_bytes = 4096}, ""));
  CHECK_THROWS_WITH(open_stream(of_large_sectors.file.path(), {.sector_size_bytes = 512}, ""),
                    ContainsSubstring("no GPT"));
}

TEST_CASE("A table that leaves no room for a backup is a disk without one")
{
  TestDisk disk = two_partitions();
  auto bytes = disk.bytes();
  const auto header = std::span(bytes).subspan(512, 512);
  put_field<std::uint64_t>(header, 32, 40);  // AlternateLBA
  put_field<std::uint32_t>(header, 16, 0);
  put_field<std::uint32_t>(header, 16, crc32(header.first(92)));
  disk.entries.clear();
  const Packed image(bytes);
  const auto stream = open_stream(image.file.path(), {}, "");
  CHECK(stream->head()->size_bytes() == 400 * 512);
  CHECK(read_bytes(*stream->head(), {399 * 512, 512}) == std::vector<std::byte>(512));
}
