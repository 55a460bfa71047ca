// SPDX-License-Identifier: BSD-3-Clause
#include "core/error.h"
#include "core/repair/checks.h"
#include "core/repair/repair.h"
#include "tests/unit/memory_source.h"
#include "tests/unit/power_cut.h"
#include "tests/unit/test_disk.h"

using namespace gptgrow;

namespace {

RepairPlan repaired(const TestDisk& found, const TestDisk& image)
{
  return plan_repair_from_image(MemorySource(found.bytes()), MemorySource(image.bytes()), {}, {});
}

}  // namespace

TEST_CASE("A repair that would write over a partition, or over the only table, is refused")
{
  TestDisk image{.entries = {{1, 20, 40, 1}}};
  TestDisk disk = image;
  disk.sectors = disk.disk_end = 700;
  disk.boot_indicator = 0;
  CHECK_THROWS_WITH(
      repaired(disk, image),
      ContainsSubstring("the primary array would be at byte 1024, which is in the partition of slot 1 (LBA "
                        "20-40): nothing is written"));
  // One entry in one sector, where the array of the image would end.
  TestDisk at_the_end{.sectors = 700,
                      .disk_end = 700,
                      .entry_count = 4,
                      .primary_array_lba = 680,
                      .first_usable_lba = 690,
                      .entries = {}};
  CHECK_THROWS_WITH(
      repaired(at_the_end, TestDisk()),
      ContainsSubstring("the new backup array would lie on the only valid table, whose header is at LBA 1"));
}

TEST_CASE("A table for sectors of another size is no second backup of a disk whose primary is gone")
{
  TestDisk disk = {.sectors = 1000, .disk_end = 1000, .first_usable_lba = 64, .entries = {{1, 64, 200, 1}}};
  Bytes bytes = disk.bytes();
  TestDisk other = {.sector_size = 4096, .sectors = 60, .disk_end = 60, .first_usable_lba = 7, .entries = {}};
  const Bytes left = other.bytes();
  std::copy(left.begin() + 4096, left.begin() + 6 * 4096, bytes.begin() + 4096);
  std::fill_n(bytes.begin() + 512, 512, std::byte{0});
  bytes.resize(1200 * 512);
  std::copy_n(bytes.begin() + 967 * 512, 33 * 512, bytes.end() - 33 * 512);
  const auto header = std::span(bytes).last(512);
  put_field<std::uint64_t>(header, 24, 1199);
  put_field<std::uint64_t>(header, 72, 1199 - 32);
  put_field<std::uint32_t>(header, 16, 0);
  put_field<std::uint32_t>(header, 16, crc32(header.first(92)));
  const auto plan = [&] { return plan_in_place(MemorySource(bytes), {.sector_size_bytes = 512}); };
  CHECK_NOTHROW(plan());
  // The backup that the protective record leads to lists the same; one that does not is another one.
  bytes[999 * 512 + 56] ^= std::byte{1};
  const auto first = std::span(bytes).subspan(999 * 512, 512);
  put_field<std::uint32_t>(first, 16, 0);
  put_field<std::uint32_t>(first, 16, crc32(first.first(92)));
  CHECK_THROWS_WITH(plan(), ContainsSubstring("two valid backup tables differ"));
}
