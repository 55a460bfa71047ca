// SPDX-License-Identifier: BSD-3-Clause
#include "core/gpt/table_warnings.h"
#include "tests/unit/catch2.h"
#include "tests/unit/found_tables.h"

using namespace gptgrow;

TEST_CASE("Data that the file lacks is told, slot by slot")
{
  const Table table = chosen(two_partitions().bytes());
  CHECK(missing_data(table, Lba{399}).empty());
  CHECK(missing_data(table, Lba{398}).size() == 1);
  CHECK(missing_data(table, Lba{98}).size() == 2);
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

TEST_CASE("A primary header that stands elsewhere tells how many bytes are in front of the disk, or missing")
{
  const auto explained = [](Bytes bytes, std::size_t in_front) {
    if (in_front == 0)
      bytes.erase(bytes.begin(), bytes.begin() + 512);
    bytes.insert(bytes.begin(), in_front, std::byte{0});
    const MemorySource image(bytes);
    const auto sentences = explain_damage(image, find_tables(image, 512));
    return sentences.empty() ? "" : sentences.front();
  };
  TestDisk small{.sectors = 100, .disk_end = 100, .entries = {}};
  for (const TestDisk& disk : {two_partitions(), small}) {
    CHECK_THAT(explained(disk.bytes(), 0),
               ContainsSubstring("a primary header stands at byte 0: the file begins with LBA 1"));
    for (const std::size_t in_front : {512U, 1024U, 10240U})
      CHECK_THAT(
          explained(disk.bytes(), in_front),
          ContainsSubstring(fmt::format("a primary header stands at byte {}, expected at byte 512", in_front + 512)));
    CHECK_THAT(explained(disk.bytes(), 128 * 512 - 512), !ContainsSubstring("a primary header"));
    Bytes damaged = disk.bytes();
    flip(damaged, 512 + 60);
    CHECK_THAT(explained(damaged, 1024), !ContainsSubstring("a primary header"));
  }
}

TEST_CASE("A restore that was stopped is told by what stands in the place of the primary header")
{
  for (const std::size_t at : {512U, 4096U}) {
    Bytes bytes(8192);
    std::ranges::copy(std::as_bytes(std::span(kUnfinishedRestore)), bytes.begin() + static_cast<std::ptrdiff_t>(at));
    const auto told = [&](std::size_t size) {
      bytes.resize(size);
      const MemorySource image(bytes);
      return explain_damage(image, find_tables(image, 512)).size();
    };
    CHECK(told(8192) == 1);
    CHECK(told(4096 + kUnfinishedRestore.size()) == 1);
    CHECK(told(4096 + kUnfinishedRestore.size() - 1) == (at == 512 ? 1 : 0));
  }
}

TEST_CASE("What keeps other tools from seeing a GPT is said of the MBR, one thing after the other")
{
  const auto warnings = [](std::initializer_list<std::pair<std::size_t, unsigned>> changes) {
    Bytes mbr = two_partitions().bytes();
    mbr.resize(512);
    for (const auto& [at, value] : changes)
      mbr[at] = static_cast<std::byte>(value);
    return mbr_warnings(MemorySource(mbr));
  };
  CHECK(warnings({}).empty());
  CHECK_THAT(warnings({{511, 0}}).at(0), ContainsSubstring("does not end with the bytes 55 aa"));
  CHECK_THAT(warnings({{450, 0x83}}).at(0), ContainsSubstring("has no record of type 0xEE: "));
  CHECK_THAT(warnings({{454, 2}}).at(0), ContainsSubstring("no record of type 0xEE that starts at LBA 1"));
  CHECK(warnings({{454, 2}, {482, 0xee}, {486, 1}}).empty());
  CHECK(warnings({{510, 0}, {450, 0}}).size() == 2);
  const auto zeros = mbr_warnings(MemorySource(Bytes(512)));
  REQUIRE(zeros.size() == 1);
  CHECK_THAT(zeros[0], ContainsSubstring("all zeros"));
}

TEST_CASE("An entry that ends before it starts, or lies outside the usable area, is told")
{
  const auto warnings = [](std::uint64_t first_lba, std::uint64_t last_lba) {
    TestDisk disk;
    disk.entries = {{4, first_lba, last_lba, 1}};
    std::vector<std::string> all;
    check_entries(chosen(disk.bytes()), all);
    return all.empty() ? "" : all.front();
  };
  CHECK(warnings(48, 477) == "");
  CHECK(warnings(60, 59) == "slot 4: StartingLBA 60 is after EndingLBA 59");
  CHECK(warnings(47, 100) == "slot 4: LBA 47-100 is not inside FirstUsableLBA 48 to LastUsableLBA 478");
  CHECK_THAT(warnings(100, 479), ContainsSubstring("is not inside"));
}

TEST_CASE("A backup of another shape, or with its array in the primary's place, differs in that")
{
  const TestDisk disk = two_partitions();
  TestDisk wide = disk;
  wide.entry_count = 64, wide.entry_size = 256;
  Bytes bytes = disk.bytes();
  copy(wide.bytes(), bytes, {479 * 512, 33 * 512});
  const auto told = [&](std::string_view text) {
    return std::ranges::count_if(chosen(bytes).warnings,
                                 [&](const std::string& each) { return each.find(text) != each.npos; });
  };
  CHECK(told("SizeOfPartitionEntry: primary 128, backup 256") == 1);
  CHECK(told("slot 2: primary unused; backup unused; from byte 128 of the slot on") == 1);
  bytes = disk.bytes();
  const auto header = std::span(bytes).subspan(511 * 512, 512);
  put_field<std::uint64_t>(header, 72, 2);
  put_field<std::uint32_t>(header, 16, 0);
  put_field<std::uint32_t>(header, 16, crc32(header.first(92)));
  CHECK(told("PartitionEntryLBA of the backup: 2, expected behind the primary array at LBA 2") == 1);
}
