// SPDX-License-Identifier: BSD-3-Clause
#include "core/error.h"
#include "tests/unit/catch2.h"
#include "tests/unit/found_tables.h"

using namespace gptgrow;

TEST_CASE("Both tables of a sound disk are found, with sectors of either size")
{
  for (const std::uint32_t sector_size : {512u, 4096u}) {
    TestDisk disk = two_partitions();
    disk.sector_size = sector_size;
    const FoundTables found = tables_of(disk.bytes());
    CHECK(found.sector_size_bytes == sector_size);
    CHECK(found.last_lba == Lba{511});
    CHECK(found.primary.valid());
    REQUIRE(found.backup);
    CHECK(found.backup->at == Lba{511});
    CHECK(mirrors(found.primary, *found.backup));
    CHECK_FALSE(found.rival);
    CHECK(found.strays.empty());
  }
}

TEST_CASE("A device's own sector size is tried first, and a table for the other one is found all the same")
{
  CHECK(tables_of(two_partitions().bytes(), 512).sector_size_bytes == 512);
  CHECK(tables_of(two_partitions().bytes(), 4096).sector_size_bytes == 512);
}

TEST_CASE("Any damaged byte of a header or an array makes that table invalid, and the other one stays valid")
{
  const Bytes good = two_partitions().bytes();
  for (std::size_t at = 512; at < 512 + 92; ++at) {
    Bytes bytes = good;
    flip(bytes, at);
    INFO(at);
    const FoundTables found = tables_of(bytes);
    REQUIRE_FALSE(found.primary.valid());
    REQUIRE(found.backup);
    REQUIRE(found.backup->valid());
  }
  for (std::size_t at = 1024; at < 34 * 512; at += 61) {
    Bytes bytes = good;
    flip(bytes, at);
    INFO(at);
    REQUIRE_FALSE(tables_of(bytes).primary.valid());
  }
}

TEST_CASE("A damaged primary is refused by what is wrong with it, with the backup as a way out")
{
  Bytes bytes = two_partitions().bytes();
  flip(bytes, 512 + 16);
  try {
    (void)chosen(bytes);
    FAIL("not refused");
  } catch (const Error& error) {
    CHECK_THAT(error.what(), ContainsSubstring("CRC"));
    REQUIRE(error.hints().size() == 1);
    CHECK(error.hints().front().key == "table");
    CHECK(error.hints().front().value == "backup");
  }
  const Table backup = chosen(bytes, TableChoice::backup);
  CHECK(backup.used_entries().size() == 2);
  // The primary's own array is whole, with what follows it in its last sector.
  CHECK(backup.array_source_lba.value == 2);
  flip(bytes, 1024);
  CHECK(chosen(bytes, TableChoice::backup).array_source_lba.value == 479);
}

TEST_CASE("What is too short for a table is refused")
{
  CHECK_THROWS_AS(tables_of(Bytes(0)), Error);
  CHECK_THROWS_AS(tables_of(Bytes(512)), Error);
  CHECK_THROWS_AS(tables_of(Bytes(1023)), Error);
}

TEST_CASE("An array may be anywhere between the header and FirstUsableLBA")
{
  TestDisk disk = two_partitions();
  disk.primary_array_lba = 16;
  const FoundTables found = tables_of(disk.bytes());
  CHECK(found.primary.valid());
  CHECK(chosen(disk.bytes()).array_source_lba == Lba{16});
}

TEST_CASE("A backup mirrors its primary when all that they have in common is the same")
{
  const Bytes good = two_partitions().bytes();
  const auto changed = [&](std::size_t field, std::uint64_t value, std::size_t size = 8) {
    Bytes bytes = good;
    const auto header = std::span(bytes).subspan(511 * 512, 512);
    std::memcpy(header.data() + field, &value, size);
    put_field<std::uint32_t>(header, 16, 0);
    put_field<std::uint32_t>(header, 16, crc32(header.first(92)));
    const FoundTables found = tables_of(bytes);
    REQUIRE(found.backup);
    return mirrors(found.primary, *found.backup);
  };
  CHECK(changed(20, 0, 4));
  CHECK_FALSE(changed(32, 2));      // AlternateLBA
  CHECK_FALSE(changed(40, 47));     // FirstUsableLBA
  CHECK_FALSE(changed(48, 470));    // LastUsableLBA
  CHECK_FALSE(changed(56, 7));      // DiskGUID
  CHECK_FALSE(changed(72, 2));      // PartitionEntryLBA: the primary's own array
  CHECK_FALSE(changed(80, 64, 4));  // NumberOfPartitionEntries: another CRC of the array

  // A whole array of another shape, or of other entries.
  TestDisk fewer = two_partitions(), larger = two_partitions(), other = two_partitions();
  fewer.entry_count = 124;
  larger.entry_count = 64, larger.entry_size = 256;
  other.entries[1].last_lba = 398;
  for (const TestDisk& disk : {fewer, larger, other}) {
    Bytes bytes = good;
    copy(disk.bytes(), bytes, {479 * 512, 33 * 512});
    const FoundTables found = tables_of(bytes);
    REQUIRE(found.backup);
    REQUIRE(found.backup->valid());
    CHECK_FALSE(mirrors(found.primary, *found.backup));
  }
}

TEST_CASE("Of partitions that an older backup lacks the first are listed")
{
  TestDisk table = two_partitions();
  const TestDisk older = table;
  for (std::uint32_t i = 0; i < 40; ++i)
    table.entries.push_back({10 + i, 60 + i, 60 + i, static_cast<std::uint8_t>(100 + i)});
  Bytes bytes = table.bytes();
  copy(older.bytes(), bytes, {479 * 512, 33 * 512});
  const auto warnings = chosen(bytes, TableChoice::backup).warnings;
  CHECK(std::ranges::count_if(warnings,
                              [](const std::string& text) { return text.find("lacks: slot") != text.npos; }) == 32);
  CHECK(std::ranges::count(warnings, "8 more partitions that the backup lacks") == 1);
}

TEST_CASE("All headers of a disk are wiped, those of a rival and of strays too")
{
  Bytes bytes = two_partitions().bytes();
  bytes.resize(700 * 512);
  flip(bytes, 512 + 56);  // it names the backup, and neither by its GUID nor by its array tells the two apart
  flip(bytes, 1024);
  TestDisk last = two_partitions();
  last.sectors = last.disk_end = 700;
  last.entries.pop_back();
  copy(last.bytes(), bytes, {667 * 512, 33 * 512});
  FoundTables found = tables_of(bytes);
  REQUIRE(found.rival);
  CHECK(header_places(found) == std::vector<ByteRange>{{512, 512}, {699 * 512, 512}, {511 * 512, 512}});
  found.strays.push_back(std::move(*found.rival));
  found.rival.reset();
  CHECK(header_places(found).size() == 3);
  bytes[512] = std::byte{0};
  CHECK(header_places(tables_of(bytes)) == std::vector<ByteRange>{{699 * 512, 512}, {511 * 512, 512}});
}

TEST_CASE("A backup that leaves no room for the primary array, or whose own array is in its way, is refused")
{
  TestDisk near{.first_usable_lba = 20, .entries = {}};
  CHECK_THROWS_WITH(chosen(near.bytes(), TableChoice::backup),
                    ContainsSubstring("backup header at LBA 511: FirstUsableLBA 20, expected at least 34"));
  near.first_usable_lba = 34;
  CHECK(chosen(near.bytes(), TableChoice::backup).primary.partition_entry_lba() == Lba{2});

  TestDisk disk{.primary_array_lba = 40, .first_usable_lba = 80, .entries = {{1, 100, 110, 1}}};
  Bytes bytes = disk.bytes();
  const auto header = std::span(bytes).subspan(511 * 512, 512);
  std::copy_n(bytes.begin() + 40 * 512, 32 * 512, bytes.begin() + 2 * 512);
  put_field<std::uint64_t>(header, 72, 2);
  put_field<std::uint32_t>(header, 16, 0);
  put_field<std::uint32_t>(header, 16, crc32(header.first(92)));
  CHECK_THROWS_WITH(chosen(bytes, TableChoice::backup),
                    ContainsSubstring("PartitionEntryLBA 2, expected at least 72, behind the primary array"));
}

TEST_CASE("A backup of another disk may be chosen beside a valid primary, and is said to be one")
{
  Bytes bytes = two_partitions().bytes();
  flip(bytes, 511 * 512 + 56);
  const auto header = std::span(bytes).subspan(511 * 512, 512);
  put_field<std::uint32_t>(header, 16, 0);
  put_field<std::uint32_t>(header, 16, crc32(header.first(92)));
  const auto warnings = chosen(bytes, TableChoice::backup).warnings;
  CHECK(std::ranges::count_if(warnings, [](const std::string& text) {
          return text.find("may be of another disk: its DiskGUID is D1D1D12E-") != text.npos &&
                 text.ends_with(" in the primary header");
        }) == 1);
}

TEST_CASE("A file without a GPT that looks like nothing is refused with what was looked for")
{
  Bytes bytes(8192);
  bytes[100] = std::byte{'x'};
  const MemorySource image(bytes);
  const auto refused = [&](std::optional<std::uint32_t> size) -> std::string {
    try {
      (void)choose_table(image, find_tables(image, size), TableChoice::primary);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  CHECK_THAT(refused(std::nullopt), ContainsSubstring("neither for 512 nor for 4096-byte sectors"));
  CHECK_THAT(refused(4096), ContainsSubstring("primary header at LBA 1 (byte 4096): ") &&
                                !ContainsSubstring("neither") && !ContainsSubstring("looks like"));
}
