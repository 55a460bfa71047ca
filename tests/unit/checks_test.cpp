// SPDX-License-Identifier: BSD-3-Clause
#include "core/error.h"
#include "core/gpt/header.h"
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

TEST_CASE("Of two backups with one array nothing tells which is the disk's own, and of another array it is the one "
          "that is there")
{
  // Primary header gone; a backup in the last LBA, another one where the protective record leads.
  const auto refused = [](bool is_array_of_first, bool is_array_of_second) -> std::string {
    TestDisk first{.sectors = 700, .disk_end = 700, .entries = {{1, 64, 79, 1}}};
    TestDisk second = first;
    second.disk_end = 512;
    if (!is_array_of_second)
      second.entries[0].last_lba = 80;
    Bytes bytes = first.bytes();
    const Bytes left = second.bytes();
    std::copy_n(left.begin() + 479 * 512, 33 * 512, bytes.begin() + 479 * 512);
    // Of another disk, its CRCs right.
    bytes[511 * 512 + 56] ^= std::byte{1};
    Header header({bytes.begin() + 511 * 512, bytes.begin() + 512 * 512});
    header.seal();
    std::ranges::copy(header.sector(), bytes.begin() + 511 * 512);
    put_field<std::uint32_t>(bytes, 458, 511);
    std::fill_n(bytes.begin() + 512, 512, std::byte{0});
    if (!is_array_of_first)
      std::copy_n(left.begin() + 1024, 32 * 512, bytes.begin() + 1024);
    const MemorySource disk(bytes);
    const FoundTables tables = find_tables(disk, 512);
    REQUIRE(tables.strays.size() == 1);
    try {
      check_own_backup(disk, tables);
    } catch (const Error& error) {
      return fmt::format("{}{}", error.what(), error.hints().empty() ? "" : " " + error.hints().front().value);
    }
    return "";
  };
  CHECK_THAT(refused(true, true), ContainsSubstring("two valid backup tables differ") && ContainsSubstring("backup"));
  CHECK(refused(true, true).ends_with("nothing is written backup"));
  CHECK(refused(true, false).ends_with("nothing is written backup"));
  CHECK_THAT(refused(false, false), ContainsSubstring("but the array at LBA 2 is that of the second"));
}

TEST_CASE("What a damaged primary still shows is lost, unless its slot is replaced or it is kept")
{
  TestDisk disk{.entries = {{1, 64, 79, 1}, {2, 80, 99, 2}, {5, 200, 259, 5}}};
  Bytes bytes = disk.bytes();
  const auto lost = [&](const std::vector<TestEntry>& kept, const std::vector<std::uint32_t>& replaced) -> std::string {
    const MemorySource source(bytes);
    TestDisk other;
    other.entries = kept;
    try {
      check_nothing_lost(source, find_tables(source, 512), used_entries(other.array(), 128), replaced);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  CHECK(lost({}, {}) == "");
  bytes[512 + 40] ^= std::byte{1};
  CHECK_THAT(lost({}, {}), ContainsSubstring("slot 1, LBA 64-79, GUID ") && ContainsSubstring(", and 2 more; nothing"));
  CHECK_THAT(lost({{1, 64, 79, 1}, {2, 80, 99, 2}}, {}),
             ContainsSubstring("slot 5, LBA 200-259") && !ContainsSubstring("more"));
  CHECK(lost({{1, 64, 79, 1}, {2, 80, 99, 2}}, {5}) == "");
  CHECK(lost(disk.entries, {}) == "");
}

TEST_CASE("A device's sectors are those of its table, and a file has none of its own")
{
  for (const std::uint32_t table : {512U, 4096U}) {
    CHECK_NOTHROW(check_whole_sectors(MemorySource(Bytes(), 0), table));
    CHECK_NOTHROW(check_whole_sectors(MemorySource(Bytes(), table), table));
    const std::uint32_t other = table == 512 ? 4096 : 512;
    CHECK_THROWS_WITH(check_whole_sectors(MemorySource(Bytes(), other), table),
                      ContainsSubstring(fmt::format("sectors of {} bytes, expected {} as in the table", other, table)));
  }
}

TEST_CASE("The primary counts, or the only backup; with two, or none, nothing does")
{
  TestDisk table{.sectors = 700, .disk_end = 700, .entries = {{1, 64, 79, 1}}};
  Bytes bytes = table.bytes();
  const auto place = [&](bool has_rival = false) {
    const MemorySource disk(bytes);
    FoundTables tables = find_tables(disk, 512);
    if (has_rival)
      tables.rival = tables.backup;
    return table_that_counts(disk, tables).at.value;
  };
  CHECK(place() == 1);
  CHECK(place(true) == 1);
  bytes[512 + 40] ^= std::byte{1};
  CHECK(place() == 699);
  CHECK_THROWS_WITH(place(true), ContainsSubstring("two valid backup tables differ"));
  bytes[699 * 512 + 40] ^= std::byte{1};
  CHECK_THROWS_WITH(place(), ContainsSubstring("there is no valid backup either"));
  bytes[699 * 512] ^= std::byte{1};
  CHECK_THROWS_WITH(place(), ContainsSubstring("there is no valid backup either"));
}

TEST_CASE("A backup that the damaged primary speaks against is of another disk")
{
  TestDisk table{.entries = {{1, 64, 79, 1}}};
  Bytes bytes = table.bytes();
  bytes[512 + 24] = std::byte{2};
  const auto check = [&](std::uint8_t guid) {
    bytes[512 + 56] = std::byte{guid};
    Header header({bytes.begin() + 512, bytes.begin() + 1024});
    header.seal();
    std::ranges::copy(header.sector(), bytes.begin() + 512);
    const MemorySource disk(bytes);
    check_own_backup(disk, find_tables(disk, 512));
  };
  CHECK_NOTHROW(check(0xd1));
  CHECK_THROWS_WITH(check(0xd2), ContainsSubstring("the only valid one seems to be of another disk: LBA 511"));
}
