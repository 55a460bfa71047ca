// SPDX-License-Identifier: BSD-3-Clause
#include "core/gpt/which_backup.h"
#include "tests/unit/catch2.h"
#include "tests/unit/found_tables.h"

using namespace gptgrow;

namespace {

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

void check_own_backup_counts(const FoundTables& found)
{
  REQUIRE(found.backup);
  CHECK(found.backup->at == Lba{511});
  REQUIRE(found.strays.size() == 1);
  CHECK(found.strays.front().at == Lba{699});
}

}  // namespace

TEST_CASE("A backup that is not in the last LBA is found where the primary says")
{
  Bytes bytes = two_partitions().bytes();
  bytes.resize(700 * 512);
  const FoundTables found = tables_of(bytes);
  REQUIRE(found.backup);
  CHECK(found.backup->at == Lba{511});
  CHECK(found.backup->valid());
}

TEST_CASE("Of two backups that differ, that of the primary's disk counts, and the other one is told")
{
  const Bytes bytes = over_another_disk(two_partitions());
  const FoundTables found = tables_of(bytes);
  check_own_backup_counts(found);
}

TEST_CASE("A header without its signature still tells which backup is its own, and where its array is")
{
  TestDisk own = two_partitions();
  own.primary_array_lba = 10;
  Bytes bytes = over_another_disk(own);
  const auto wipe = [&](std::size_t bytes_wiped) { std::memset(bytes.data() + 512, 0, bytes_wiped); };
  wipe(8);
  const FoundTables found = tables_of(bytes);
  check_own_backup_counts(found);
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
    check_own_backup_counts(found);
  }
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

TEST_CASE("Of two backups nothing tells, where the one has the primary's DiskGUID and the other its array")
{
  Bytes bytes = two_partitions().bytes();
  bytes.resize(700 * 512);
  TestDisk fewer = two_partitions(), last = two_partitions();
  fewer.entries.pop_back();
  last.sectors = last.disk_end = 700;
  copy(fewer.bytes(), bytes, {479 * 512, 33 * 512});
  copy(last.bytes(), bytes, {667 * 512, 33 * 512});
  flip(bytes, 699 * 512 + 56);
  const auto header = std::span(bytes).subspan(699 * 512, 512);
  put_field<std::uint32_t>(header, 16, 0);
  put_field<std::uint32_t>(header, 16, crc32(header.first(92)));
  const auto places = [&] {
    const FoundTables found = tables_of(bytes);
    REQUIRE(found.backup);
    REQUIRE(found.rival);
    CHECK(found.strays.empty());
    return std::pair(found.backup->at.value, found.rival->at.value);
  };
  CHECK(places() == std::pair<std::uint64_t, std::uint64_t>{511, 699});
  flip(bytes, 512 + 48);
  CHECK(places() == std::pair<std::uint64_t, std::uint64_t>{699, 511});
  CHECK_THROWS_WITH(chosen(bytes, TableChoice::backup), ContainsSubstring("two valid backup tables differ"));
}

TEST_CASE("Of two damaged backups that of a valid primary counts, and else the one where every tool looks")
{
  Bytes bytes = two_partitions().bytes();
  bytes.resize(700 * 512);
  TestDisk last = two_partitions();
  last.sectors = last.disk_end = 700;
  copy(last.bytes(), bytes, {667 * 512, 33 * 512});
  const auto place = [](const Bytes& disk) {
    const FoundTables found = tables_of(disk);
    return found.backup ? found.backup->at.value : 0;
  };
  for (const std::uint64_t lba : {511U, 699U})
    flip(bytes, lba * 512 + 48);
  CHECK(place(bytes) == 511);
  flip(bytes, 512 + 48);
  CHECK(place(bytes) == 699);
  flip(bytes, 699 * 512);
  CHECK(place(bytes) == 511);
  flip(bytes, 511 * 512);
  CHECK(place(bytes) == 0);
}

TEST_CASE(
    "A backup that was left where the protective record says that the disk ended is told, if it lists something else")
{
  TestDisk now = two_partitions(), then = two_partitions();
  now.sectors = now.disk_end = 700;
  then.entries.pop_back();
  Bytes bytes = now.bytes();
  copy(then.bytes(), bytes, {479 * 512, 33 * 512});
  const auto strays = [](Bytes disk, std::size_t record, unsigned type, std::uint32_t first_lba,
                         std::uint32_t sectors) {
    put_field<std::uint8_t>(disk, 446 + 16 * record + 4, static_cast<std::uint8_t>(type));
    put_field<std::uint32_t>(disk, 446 + 16 * record + 8, first_lba);
    put_field<std::uint32_t>(disk, 446 + 16 * record + 12, sectors);
    const FoundTables found = tables_of(disk);
    CHECK(found.backup.value().at == Lba{699});
    return found.strays.size();
  };
  CHECK(strays(bytes, 0, 0xee, 1, 511) == 1);
  CHECK(strays(bytes, 3, 0xee, 1, 511) == 1);
  CHECK(strays(bytes, 0, 0x83, 1, 511) == 0);
  CHECK(strays(bytes, 0, 0xee, 2, 511) == 0);
  for (const std::uint32_t elsewhere : {0U, 1U, 510U, 699U, 700U, UINT32_MAX})
    CHECK(strays(bytes, 0, 0xee, 1, elsewhere) == 0);
  Bytes same = now.bytes(), damaged = bytes;
  copy(two_partitions().bytes(), same, {479 * 512, 33 * 512});
  CHECK(strays(same, 0, 0xee, 1, 511) == 0);
  flip(damaged, 511 * 512 + 48);
  CHECK(strays(damaged, 0, 0xee, 1, 511) == 0);
}

TEST_CASE("Of a primary of which two fields are damaged nothing is believed")
{
  struct Field {
    std::size_t at;
    std::uint64_t value;
    std::size_t size;
  };
  for (const Field& first : {Field{84, 64, 4}, Field{84, 192, 4}, Field{84, UINT32_MAX, 4}, Field{80, UINT32_MAX, 4}})
    for (const Field& second : {Field{72, 7, 8}, Field{72, 500, 8}, Field{72, UINT64_MAX, 8}, Field{56, 1, 8}}) {
      CAPTURE(first.at, first.value, second.at, second.value);
      Bytes bytes = two_partitions().bytes();
      for (const Field& field : {first, second})
        std::memcpy(bytes.data() + 512 + field.at, &field.value, field.size);
      const MemorySource image(bytes);
      // One field alone, which the backup has too, is seen through.
      CHECK(lost_with(image, find_tables(image, 512), {}).size() == (second.at == 56 ? 2 : 0));
    }
}

TEST_CASE("Of two backups with one array that of the primary's disk counts, and of two that are the same the last")
{
  Bytes bytes = two_partitions().bytes();
  bytes.resize(700 * 512);
  TestDisk last = two_partitions();
  last.sectors = last.disk_end = 700;
  copy(last.bytes(), bytes, {667 * 512, 33 * 512});
  CHECK(tables_of(bytes).backup.value().at == Lba{511});
  Bytes damaged = bytes;
  flip(damaged, 512 + 48);
  CHECK(tables_of(damaged).backup.value().at == Lba{699});
  for (const std::uint64_t other : {511U, 699U}) {
    Bytes foreign = bytes;
    flip(foreign, other * 512 + 56);
    const auto header = std::span(foreign).subspan(other * 512, 512);
    put_field<std::uint32_t>(header, 16, 0);
    put_field<std::uint32_t>(header, 16, crc32(header.first(92)));
    const FoundTables found = tables_of(foreign);
    CHECK(found.backup.value().at.value == 1210 - other);
    CHECK_FALSE(found.rival);
    REQUIRE(found.strays.size() == 1);
    CHECK(found.strays[0].at.value == other);
  }
}

TEST_CASE("The same table has the same DiskGUID, shape and CRC; what is legible says that it is a primary header")
{
  const auto header_of = [](const TestDisk& disk) { return tables_of(disk.bytes()).primary.header; };
  const TestDisk disk = two_partitions();
  TestDisk fewer = disk, wide = disk, other = disk;
  fewer.entry_count = 124;
  wide.entry_size = 256, wide.entry_count = 64;
  other.entries.pop_back();
  CHECK(is_same_table(header_of(disk), header_of(disk)));
  for (const TestDisk& each : {fewer, wide, other})
    CHECK_FALSE(is_same_table(header_of(disk), header_of(each)));
  Header wider = header_of(disk);
  wider.set_entry_size_bytes(256);
  CHECK_FALSE(is_same_table(header_of(disk), wider));

  const auto legible = [&](std::initializer_list<std::size_t> flipped) {
    Bytes bytes = disk.bytes();
    for (const std::size_t at : flipped)
      flip(bytes, 512 + at);
    return is_legible(Header({bytes.begin() + 512, bytes.begin() + 1024}));
  };
  CHECK(legible({}));
  CHECK(legible({0}));
  CHECK(legible({8, 24}));
  CHECK_FALSE(legible({0, 8}));
  CHECK_FALSE(legible({0, 24}));
}

TEST_CASE("What a primary shows outside its usable area, or with its end before its beginning, is no partition")
{
  TestDisk disk;
  disk.entries = {{1, 47, 50, 1}, {2, 470, 479, 2}, {3, 60, 59, 3}, {4, 60, 60, 4}};
  const MemorySource image(disk.bytes());
  const auto lost = lost_with(image, find_tables(image, 512), {});
  REQUIRE(lost.size() == 1);
  CHECK(lost[0].slot == 4);
}
