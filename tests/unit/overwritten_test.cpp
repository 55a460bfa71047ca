// SPDX-License-Identifier: BSD-3-Clause
#include "core/repair/overwritten.h"
#include "tests/unit/catch2.h"
#include "tests/unit/memory_source.h"
#include "tests/unit/power_cut.h"
#include "tests/unit/test_disk.h"

using namespace gptgrow;

TEST_CASE("Data is looked for where tables are named, and where they usually are")
{
  TestDisk image = {.sectors = 700,
                    .disk_end = 700,
                    .primary_array_lba = 40,
                    .first_usable_lba = 80,
                    .entries = {{1, 80, 150, 1}, {2, 151, 600, 2}}};
  Bytes on_image = image.bytes();
  for (std::size_t at = 2 * 512; at < 40 * 512; ++at)
    on_image[at] = std::byte{0x77};
  const auto source = in_memory(on_image);
  const Disk served(source, {on_image.size()}, {});
  const auto found_on = [&](const Bytes& disk) {
    const MemorySource memory(disk);
    std::vector<std::pair<ByteRange, std::string>> result;
    for (const Overwritten& each : overwritten(memory, find_tables(memory, 512), served))
      result.emplace_back(each.range, each.where);
    return result;
  };
  using Places = std::vector<std::pair<ByteRange, std::string>>;
  CHECK(found_on(on_image).empty());

  Bytes disk = on_image;
  const auto damage = [&](std::uint64_t first_lba, std::uint64_t count) {
    for (std::uint64_t lba = first_lba; lba < first_lba + count; ++lba)
      disk[lba * 512 + 7] ^= std::byte{1};
  };
  damage(3, 2);
  CHECK(found_on(disk) == Places{{{3 * 512, 1024}, "data in no partition"}});
  // An array that the damaged header names, in two partitions.
  disk = on_image;
  put_field<std::uint64_t>(std::span(disk), 512 + 72, 148);
  damage(149, 4);
  CHECK(found_on(disk) == Places{{{149 * 512, 1024}, "slot 1"}, {{151 * 512, 1024}, "slot 2"}});
  // It may name any place and any length.
  for (const std::uint64_t place : {std::uint64_t{690}, std::uint64_t{10'000}, UINT64_MAX}) {
    put_field<std::uint64_t>(std::span(disk), 512 + 72, place);
    CHECK(found_on(disk).empty());
  }
  put_field<std::uint64_t>(std::span(disk), 512 + 72, 148);
  put_field<std::uint32_t>(std::span(disk), 512 + 80, UINT32_MAX);
  CHECK(found_on(disk).empty());
  disk[512] = std::byte{0};
  CHECK(found_on(disk).empty());
}
