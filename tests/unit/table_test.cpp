// SPDX-License-Identifier: BSD-3-Clause
#include "core/error.h"
#include "core/gpt/table.h"
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
  Bytes bytes = two_partitions().bytes();
  bytes.resize(700 * 512);
  // Another disk's table in the last LBA.
  TestDisk last = two_partitions();
  last.sectors = last.disk_end = 700;
  Bytes stray = last.bytes();
  flip(stray, 699 * 512 + 56);
  const auto header = std::span(stray).subspan(699 * 512, 512);
  put_field<std::uint32_t>(header, 16, 0);
  put_field<std::uint32_t>(header, 16, crc32(header.first(92)));
  copy(stray, bytes, {667 * 512, 33 * 512});
  const FoundTables found = tables_of(bytes);
  REQUIRE(found.backup);
  CHECK(found.backup->at == Lba{511});
  REQUIRE(found.strays.size() == 1);
  CHECK(found.strays.front().at == Lba{699});
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
