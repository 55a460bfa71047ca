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
