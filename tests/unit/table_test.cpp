// SPDX-License-Identifier: BSD-3-Clause
#include "core/error.h"
#include "core/gpt/table.h"
#include "core/gpt/which_backup.h"
#include "tests/unit/catch2.h"
#include "tests/unit/served_disk.h"

using namespace gptgrow;

namespace {

using Bytes = std::vector<std::byte>;

void flip(Bytes& bytes, std::size_t at)
{
  bytes[at] ^= std::byte{0xff};
}

FoundTables tables_of(const Bytes& bytes, std::uint32_t device_sector_size_bytes = 0)
{
  return find_tables(MemorySource(bytes, device_sector_size_bytes), std::nullopt);
}

Table chosen(const Bytes& bytes, TableChoice choice = TableChoice::primary)
{
  const MemorySource image(bytes);
  return choose_table(image, find_tables(image, std::nullopt), choice);
}

void copy(const Bytes& from, Bytes& to, ByteRange range)
{
  std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(range.offset), range.size,
              to.begin() + static_cast<std::ptrdiff_t>(range.offset));
}

/// `disk` at the beginning of one of 700 sectors, in whose last ones another disk's backup is left.
Bytes over_another_disk(const TestDisk& disk)
{
  TestDisk last = two_partitions();
  last.sectors = last.disk_end = 700;
  last.entries.pop_back();
  Bytes other = last.bytes(), bytes = disk.bytes();
  flip(other, 699 * 512 + 56);
  const auto header = std::span(other).subspan(699 * 512, 512);
  put_field<std::uint32_t>(header, 16, 0);
  put_field<std::uint32_t>(header, 16, crc32(header.first(92)));
  bytes.resize(700 * 512);
  copy(other, bytes, {667 * 512, 33 * 512});
  return bytes;
}

}  // namespace

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

TEST_CASE("A backup that is not in the last LBA is found where the primary says")
{
  Bytes bytes = two_partitions().bytes();
  bytes.resize(700 * 512);
  const FoundTables found = tables_of(bytes);
  REQUIRE(found.backup);
  CHECK(found.backup->at == Lba{511});
  CHECK(found.backup->valid());
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

TEST_CASE("Of two backups that differ, that of the primary's disk counts, and the other one is told")
{
  const Bytes bytes = over_another_disk(two_partitions());
  const FoundTables found = tables_of(bytes);
  REQUIRE(found.backup);
  CHECK(found.backup->at == Lba{511});
  REQUIRE(found.strays.size() == 1);
  CHECK(found.strays.front().at == Lba{699});
}

TEST_CASE("A header without its signature still tells which backup is its own, and where its array is")
{
  TestDisk own = two_partitions();
  own.primary_array_lba = 10;
  Bytes bytes = over_another_disk(own);
  const auto wipe = [&](std::size_t bytes_wiped) { std::memset(bytes.data() + 512, 0, bytes_wiped); };
  wipe(8);
  const FoundTables found = tables_of(bytes);
  REQUIRE(found.backup);
  CHECK(found.backup->at == Lba{511});
  REQUIRE(found.strays.size() == 1);
  CHECK(found.strays.front().at == Lba{699});
  CHECK(chosen(bytes, TableChoice::backup).primary.partition_entry_lba() == Lba{10});
  // Its own backup is gone, too: the other one does not become its own.
  Bytes alone = bytes;
  std::memset(alone.data() + 511 * 512, 0, 512);
  const FoundTables without = tables_of(alone);
  REQUIRE(without.backup);
  CHECK_FALSE(may_belong(MemorySource(alone), without.primary, without.backup->header));
  wipe(512);
  CHECK(may_belong(MemorySource(bytes), tables_of(bytes).primary, tables_of(bytes).backup->header));
}

TEST_CASE("Of two backups of one disk, that with the primary's array counts")
{
  Bytes bytes = two_partitions().bytes();
  bytes.resize(700 * 512);
  TestDisk older = two_partitions();
  older.sectors = older.disk_end = 700;
  older.entries.pop_back();
  copy(older.bytes(), bytes, {667 * 512, 33 * 512});
  for (const bool is_damaged : {false, true}) {
    // Its own CRC, or the array that stands on the disk, speaks for it.
    if (is_damaged)
      flip(bytes, 512 + 16);
    const FoundTables found = tables_of(bytes);
    REQUIRE(found.backup);
    CHECK(found.backup->at == Lba{511});
    REQUIRE(found.strays.size() == 1);
    CHECK(found.strays.front().at == Lba{699});
  }
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

TEST_CASE("Data that the file lacks is told, slot by slot")
{
  const Table table = chosen(two_partitions().bytes());
  CHECK(missing_data(table, Lba{399}).empty());
  CHECK(missing_data(table, Lba{398}).size() == 1);
  CHECK(missing_data(table, Lba{98}).size() == 2);
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

TEST_CASE("How a backup differs is told slot by slot, up to a number of them")
{
  TestDisk disk = two_partitions();
  const auto warnings = [&](const TestDisk& in_backup) {
    Bytes bytes = disk.bytes();
    copy(in_backup.bytes(), bytes, {479 * 512, 33 * 512});
    return chosen(bytes).warnings;
  };
  const auto has = [](const std::vector<std::string>& all, std::string_view text) {
    return std::ranges::count_if(all, [&](const std::string& each) { return each.find(text) != each.npos; });
  };
  TestDisk fewer = disk;
  fewer.entry_count = 2;
  fewer.entries.pop_back();
  const auto lacking = warnings(fewer);
  CHECK(has(lacking, "NumberOfPartitionEntries: primary 128, backup 2") == 1);
  CHECK(has(lacking, "slot 3: primary LBA 200-399") == 1);
  CHECK(has(lacking, "backup no such slot; from byte 0 of the slot on") == 32);
  CHECK(has(lacking, "94 more slots differ") == 1);
  TestDisk many = disk;
  for (std::uint32_t slot = 10; slot < 43; ++slot)
    many.entries.push_back({slot, 400 + slot, 400 + slot, 9});
  CHECK(has(warnings(many), "primary unused; backup LBA") == 32);
  CHECK(has(warnings(many), "1 more slots differ") == 1);
  many.entries.pop_back();
  CHECK(has(warnings(many), "primary unused; backup LBA") == 32);
  CHECK(has(warnings(many), "more slots differ") == 0);
}

TEST_CASE("Warnings about entries, and data that is missing, are listed up to a number of them")
{
  TestDisk disk;
  disk.sectors = disk.disk_end = 1000;
  for (std::uint32_t slot = 1; slot <= 41; ++slot)
    disk.entries.push_back({slot, 100, 200, 1});
  const Table table = chosen(disk.bytes());
  CHECK(std::ranges::count_if(table.warnings,
                              [](const std::string& each) { return each.find("overlap") != each.npos; }) == 32);
  CHECK(table.warnings.back() == "8 more warnings about entries");
  CHECK(missing_data(table, Lba{150}).size() == 32);
}

TEST_CASE("Of a table with many partitions the first are described")
{
  TestDisk disk = two_partitions();
  CHECK(describe_contents(tables_of(disk.bytes()).primary)
            .ends_with("2 partitions: slot 1 LBA 48-99, slot 3 LBA 200-399"));
  for (std::uint32_t slot = 4; slot < 11; ++slot)
    disk.entries.push_back({slot, 396 + slot, 396 + slot, 9});
  CHECK_THAT(describe_contents(tables_of(disk.bytes()).primary), ContainsSubstring("9 partitions: slot 1") &&
                                                                     ContainsSubstring("slot 9 LBA 405-405, ...") &&
                                                                     !ContainsSubstring("slot 10"));
}

TEST_CASE("A backup that stands where the file ends, and names another place, tells what became of the file")
{
  const auto explained = [](Bytes bytes) {
    flip(bytes, 512);
    const MemorySource image(bytes);
    const auto sentences = explain_damage(image, find_tables(image, std::nullopt));
    return sentences.empty() ? "" : sentences.back();
  };
  Bytes bytes = two_partitions().bytes();
  CHECK(explained(bytes).empty());
  Bytes shorter = bytes;
  shorter.erase(shorter.begin() + 100 * 512, shorter.begin() + 103 * 512);
  CHECK_THAT(explained(shorter), ContainsSubstring("backup header of LBA 511, expected 508: sectors are missing in"));
  Bytes longer = bytes;
  longer.insert(longer.begin() + 100 * 512, 2 * 512, std::byte{0});
  CHECK_THAT(explained(longer), ContainsSubstring("backup header of LBA 511, expected 513: sectors were added to"));
  // A copy of the primary says nothing of the kind, nor does one that is damaged itself.
  Bytes copied = bytes;
  std::copy_n(bytes.begin() + 512, 512, copied.end() - 512);
  CHECK(explained(copied).empty());
  flip(shorter, shorter.size() - 512 + 56);
  CHECK(explained(shorter).empty());
}

TEST_CASE("A damaged primary is known for another disk's by its GUID, and by its array alone where its CRC is wrong")
{
  const Bytes bytes = two_partitions().bytes();
  const auto belongs = [](Bytes disk, bool seal) {
    const auto header = std::span(disk).subspan(512, 512);
    header[56] ^= std::byte{1};
    header[8] ^= std::byte{1};  // the revision
    if (seal) {
      put_field<std::uint32_t>(header, 16, 0);
      put_field<std::uint32_t>(header, 16, crc32(header.first(92)));
    }
    const MemorySource image(disk);
    const FoundTables found = find_tables(image, std::nullopt);
    REQUIRE_FALSE(found.primary.valid());
    return may_belong(image, found.primary, found.backup.value().header);
  };
  CHECK(belongs(bytes, false));
  CHECK_FALSE(belongs(bytes, true));
  Bytes other_array = bytes;
  flip(other_array, 1024 + 3 * 128);
  CHECK_FALSE(belongs(other_array, false));
  // Where the array should be cannot be read.
  for (const std::uint64_t place : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{500}, UINT64_MAX}) {
    Bytes elsewhere = bytes;
    put_field<std::uint64_t>(std::span(elsewhere), 512 + 72, place);
    CHECK_FALSE(belongs(elsewhere, false));
  }
}

TEST_CASE("A partition that only a damaged primary shows is lost, not one that was moved or got a new GUID")
{
  Bytes bytes = two_partitions().bytes();
  flip(bytes, 512 + 8);
  const MemorySource image(bytes);
  const FoundTables found = find_tables(image, std::nullopt);
  const auto lost = [&](const std::vector<TestEntry>& kept) {
    TestDisk disk = two_partitions();
    disk.entries = kept;
    return lost_with(image, found, used_entries(disk.array(), 128)).size();
  };
  CHECK(lost({}) == 2);
  CHECK(lost({{1, 48, 99, 1}}) == 1);
  CHECK(lost({{1, 48, 99, 1}, {3, 200, 399, 9}}) == 0);
  CHECK(lost({{1, 48, 99, 1}, {3, 200, 398, 9}}) == 1);
  CHECK(lost({{1, 48, 99, 1}, {3, 201, 399, 9}}) == 1);
  CHECK(lost({{1, 48, 99, 1}, {3, 410, 420, 3}}) == 0);
}

TEST_CASE("What a primary shows and an older backup lacks is seen, whichever field of its header is damaged")
{
  TestDisk older = two_partitions();
  older.entries.pop_back();
  const Bytes whole = two_partitions().bytes();
  for (const std::size_t field : {0U, 8U, 12U, 16U, 24U, 32U, 56U, 72U, 80U, 84U, 88U})
    for (const bool is_valid : {true, false}) {
      CAPTURE(field, is_valid);
      Bytes bytes = whole;
      copy(older.bytes(), bytes, {479 * 512, 33 * 512});
      if (!is_valid)
        flip(bytes, 512 + field);
      const MemorySource image(bytes);
      const FoundTables found = find_tables(image, std::nullopt);
      REQUIRE(found.primary.valid() == is_valid);
      REQUIRE(found.backup);
      const auto lost = lost_with(image, found, used_entries(found.backup->array, 128));
      REQUIRE(lost.size() == 1);
      CHECK(lost.front().slot == 3);
      const auto warnings = chosen(bytes, TableChoice::backup).warnings;
      CHECK(std::ranges::any_of(warnings,
                                [](const std::string& text) { return text.find("lacks: slot 3") != text.npos; }));
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

TEST_CASE("An empty table beside one that lists partitions is told")
{
  TestDisk empty;
  const auto warned = [](const Bytes& bytes) {
    return std::ranges::count_if(chosen(bytes).warnings,
                                 [](const std::string& each) { return each.find("has no partitions") != each.npos; });
  };
  CHECK(warned(empty.bytes()) == 0);
  Bytes bytes = empty.bytes();
  copy(two_partitions().bytes(), bytes, {479 * 512, 33 * 512});
  CHECK(warned(bytes) == 1);
  flip(bytes, 511 * 512 + 16);
  CHECK(warned(bytes) == 0);
  flip(bytes, 511 * 512);
  CHECK(warned(bytes) == 0);
}
