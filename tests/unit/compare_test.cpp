// SPDX-License-Identifier: BSD-3-Clause
#include "core/error.h"
#include "tests/unit/catch2.h"
#include "tests/unit/compared.h"

#include <algorithm>

using namespace gptgrow;

TEST_CASE("What moves with the end of the disk is no difference")
{
  const TestDisk image = disk_with_gap();
  CHECK(compared(image.bytes(), grown(image).bytes()).same());
  CHECK(compared(grown(image).bytes(), image.bytes()).same());
  CHECK(compared(image.bytes(), image.bytes()).same());
}

TEST_CASE("A partition is extended where it ends as far as it can, and is what it was otherwise")
{
  const TestDisk image = disk_with_gap();
  const TestDisk as_it_is = grown(image);
  using enum Trace;
  // LastUsableLBA is 700 - 34; 664 is the last multiple of 4096 bytes before it.
  const auto with_end = [&](std::uint64_t last_lba) {
    TestDisk disk = as_it_is;
    disk.entries[1].last_lba = last_lba;
    return disk;
  };
  const Comparison extended = compared(image.bytes(), with_end(663).bytes());
  CHECK(only_extended(extended) == 2);
  CHECK(extended.tools.front() == "gptgrow extend");
  CHECK(traces(image, with_end(663)) == std::vector{partition_extended});
  for (const std::uint64_t last_lba : {655U, 662U, 664U, 666U})
    CHECK(traces(image, with_end(last_lba)) == std::vector{partition_grown});

  TestDisk moved = with_end(663), other_guid = with_end(663), from_further_on = with_end(663);
  moved.entries[1].slot = 3;
  other_guid.entries[1].id = 7;
  from_further_on.entries[1].first_lba = 208;
  for (const TestDisk& disk : {moved, other_guid, from_further_on}) {
    CHECK_FALSE(only_extended(compared(image.bytes(), disk.bytes())));
    CHECK(std::ranges::count(traces(image, disk), partition_extended) == 0);
  }
  // And something else beside it.
  TestDisk inactive = with_end(663);
  inactive.boot_indicator = 0;
  CHECK_FALSE(only_extended(compared(image.bytes(), inactive.bytes())));
  CHECK(traces(image, inactive) == std::vector{partition_extended, active_flag_cleared});
}

TEST_CASE("Sectors of different sizes have no LBAs in common")
{
  TestDisk disk = grown(disk_with_gap());
  disk.sector_size = 4096;
  CHECK_THROWS_WITH(compared(disk_with_gap().bytes(), disk.bytes()),
                    ContainsSubstring("table for 4096-byte sectors, expected 512 as in image"));
}

TEST_CASE("Damage is a difference, and two damaged tables are trouble")
{
  const TestDisk image = disk_with_gap();
  std::vector<std::byte> disk = grown(image).bytes();
  disk[512 + 60] ^= std::byte{1};
  CHECK(traces(image.bytes(), disk) == std::vector{Trace::primary_bad});
  disk[(kGrownSectors - 1) * 512 + 60] ^= std::byte{1};
  CHECK_THROWS_WITH(compared(image.bytes(), disk), ContainsSubstring("no valid backup either"));
  disk = grown(image).bytes();
  disk[(kGrownSectors - 1) * 512 + 60] ^= std::byte{1};
  CHECK(traces(image.bytes(), disk) == std::vector{Trace::backup_bad});
}

TEST_CASE("Damage that the image has too is no difference, and other damage is")
{
  const TestDisk image = disk_with_gap();
  std::vector<std::byte> a = image.bytes(), b = grown(image).bytes();
  a[512 + 8] ^= std::byte{1};
  CHECK(compared(a, b).same());
  b[512 + 8] ^= std::byte{1};
  CHECK(compared(a, b).same());
  b[512 + 8] ^= std::byte{3};
  CHECK(traces(a, b) == std::vector{Trace::primary_bad});
  // Nothing tells how the table should be on a disk that is too small for it.
  TestDisk small = image;
  small.sectors = small.disk_end = 280;
  small.entries.erase(small.entries.begin() + 1);
  CHECK(traces(a, small.bytes()) == std::vector{Trace::entries_missing, Trace::primary_bad});
}

TEST_CASE("A backup that is of another table is told, also where the image has none")
{
  const TestDisk image = disk_with_gap();
  std::vector<std::byte> a = image.bytes(), b = grown(image).bytes();
  TestDisk other = grown(image);
  other.entries.pop_back();
  const std::vector<std::byte> with_other = other.bytes();
  std::copy(with_other.end() - 33 * 512, with_other.end(), b.end() - 33 * 512);
  CHECK(traces(a, b) == std::vector{Trace::backup_bad});
  std::fill(a.end() - 33 * 512, a.end(), std::byte{0});
  CHECK(traces(a, b) == std::vector{Trace::backup_bad});
  CHECK(compared(a, grown(image).bytes()).same());
}

TEST_CASE("Without a backup on either side, and with what the image itself has, disks are the same")
{
  const TestDisk image = disk_with_gap();
  std::vector<std::byte> a = image.bytes(), b = grown(image).bytes();
  const auto wipe = [](std::vector<std::byte>& disk) { std::fill(disk.end() - 33 * 512, disk.end(), std::byte{0}); };
  wipe(b);
  const Comparison lost = compared(a, b);
  REQUIRE(lost.fields.size() == 1);
  CHECK((lost.fields[0].is_state && lost.fields[0].a == "valid" && lost.fields[0].b == "none"));
  wipe(a);
  CHECK(compared(a, b).same());
  a[512 + 60] ^= std::byte{1};
  CHECK_THROWS_WITH(compared(a, b), ContainsSubstring("image: primary header at LBA 1: CRC"));
  // Its backup was left behind, and should be elsewhere.
  std::vector<std::byte> copied = image.bytes();
  copied.resize(kGrownSectors * 512);
  CHECK(compared(copied, copied).same());
  CHECK(compared(copied, grown(image).bytes()).same());
}

TEST_CASE("Of a disk that is too small for the image's table only what does not move with its end is compared")
{
  const TestDisk image = disk_with_gap();
  TestDisk small = image;
  small.sectors = small.disk_end = 250;
  small.entries.erase(small.entries.begin() + 1);
  const Comparison comparison = compared(image.bytes(), small.bytes());
  CHECK(comparison.fields.empty());
  CHECK(comparison.slots.size() == 1);
}
