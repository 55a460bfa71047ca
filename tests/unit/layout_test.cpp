// SPDX-License-Identifier: BSD-3-Clause
// The planner: where every byte of a served disk comes from.
#include "core/disk/layout.h"
#include "core/error.h"
#include "tests/unit/catch2.h"
#include "tests/unit/served_disk.h"

#include <fmt/core.h>

using namespace gptgrow;

namespace {

Layout planned(const MemorySource& image, std::uint64_t size_bytes, const Policy& policy = {})
{
  const Table table = choose_table(image, find_tables(image, std::nullopt), TableChoice::primary);
  return plan_layout(image, table, {size_bytes}, policy);
}

MemorySource image_of(const TestDisk& disk)
{
  return MemorySource(disk.bytes());
}

/// "mbr primary_header ..." in order of place, neighbours of one role joined.
std::vector<Role> roles(const Layout& layout)
{
  std::vector<Role> result;
  for (const Region& region : layout.regions)
    if (result.empty() || result.back() != region.role)
      result.push_back(region.role);
  return result;
}

ByteRange range_of(const Layout& layout, Role role)
{
  ByteRange whole;
  for (const Region& region : layout.regions)
    if (region.role == role)
      whole = whole.size == 0 ? region.range : ByteRange{whole.offset, region.range.end() - whole.offset};
  return whole;
}

constexpr ByteRange sectors(std::uint64_t first, std::uint64_t count, std::uint64_t size = 512)
{
  return {first * size, count * size};
}

}  // namespace

TEST_CASE("The tail moves with the end of the disk, and every region says what it is")
{
  const Layout layout = planned(image_of(two_partitions()), 1000 * 512);
  using enum Role;
  CHECK(roles(layout) == std::vector<Role>{mbr, primary_header, primary_array, content, old_backup_array,
                                           old_backup_header, free_space, backup_array, backup_header});
  CHECK(range_of(layout, mbr) == sectors(0, 1));
  CHECK(range_of(layout, primary_header) == sectors(1, 1));
  CHECK(range_of(layout, primary_array) == sectors(2, 32));
  CHECK(range_of(layout, old_backup_array) == sectors(479, 32));
  CHECK(range_of(layout, old_backup_header) == sectors(511, 1));
  CHECK(range_of(layout, free_space) == sectors(512, 455));
  CHECK(range_of(layout, backup_array) == sectors(967, 32));
  CHECK(range_of(layout, backup_header) == sectors(999, 1));
  CHECK(layout.primary.alternate_lba() == Lba{999});
  CHECK(layout.primary.last_usable_lba() == Lba{966});
  CHECK(layout.backup.my_lba() == Lba{999});
  CHECK(layout.backup.alternate_lba() == kPrimaryLba);
  CHECK(layout.backup.partition_entry_lba() == Lba{967});
  CHECK(problems(layout.primary, kPrimaryLba).empty());
  CHECK(problems(layout.backup, Lba{999}).empty());
}

TEST_CASE("An old backup may be kept")
{
  const Layout layout = planned(image_of(two_partitions()), 1000 * 512, {.old_backup = OldBackup::keep});
  CHECK(range_of(layout, Role::old_backup_array).size == 0);
  CHECK(range_of(layout, Role::old_backup_header).size == 0);
}

TEST_CASE("A disk of the image's own size has no old backup and no free space")
{
  const Layout layout = planned(image_of(two_partitions()), 512 * 512);
  CHECK(range_of(layout, Role::old_backup_array).size == 0);
  CHECK(layout.free_space.size == 0);
  CHECK(range_of(layout, Role::backup_header) == sectors(511, 1));
}

TEST_CASE("The largest disk can be planned, with sectors of either size")
{
  for (const std::uint32_t sector_size : {512u, 4096u}) {
    TestDisk disk = two_partitions();
    disk.sector_size = sector_size;
    const std::uint64_t size = kMaxDiskSizeBytes / sector_size * sector_size;
    const Layout layout = planned(image_of(disk), size);
    CHECK(layout.regions.size_bytes() == size);
    CHECK(layout.primary.alternate_lba() == max_lba(sector_size));
    CHECK(range_of(layout, Role::backup_header).end() == size);
    CHECK_THROWS_WITH(planned(image_of(disk), size + sector_size), ContainsSubstring("largest possible"));
  }
}

TEST_CASE("A size that is no multiple of the sector is refused, with the nearest ones")
{
  CHECK_THROWS_WITH(planned(image_of(two_partitions()), 1000 * 512 + 1),
                    ContainsSubstring("not a multiple of the 512-byte sector; the nearest are 512000 and 512512"));
}

TEST_CASE("A size that is too small is refused with the smallest, which is not")
{
  const MemorySource image = image_of(two_partitions());
  // Slot 3 ends at LBA 399; an array of 32 sectors and a header come behind.
  constexpr std::uint64_t kSmallest = (400 + 33) * 512;
  CHECK_NOTHROW(planned(image, kSmallest));
  CHECK_THROWS_WITH(planned(image, kSmallest - 512),
                    ContainsSubstring(fmt::format("smallest possible size is {}", kSmallest)) &&
                        ContainsSubstring("slot 3 ends at LBA 399"));
}

TEST_CASE("Every size is planned or refused, and what is planned has all structures in place")
{
  const MemorySource image = image_of(two_partitions());
  for (std::uint64_t count = 1; count < 1100; ++count) {
    if (count < 433) {
      REQUIRE_THROWS_AS(planned(image, count * 512), Error);
      continue;
    }
    const Layout layout = planned(image, count * 512);
    INFO(count);
    REQUIRE(layout.regions.size_bytes() == count * 512);
    REQUIRE(range_of(layout, Role::backup_array) == sectors(count - 33, 32));
    REQUIRE(range_of(layout, Role::backup_header) == sectors(count - 1, 1));
    REQUIRE(layout.primary.last_usable_lba() == Lba{count - 34});
  }
}

TEST_CASE("What an image lacks of a partition is refused, or zeros if that is allowed")
{
  std::vector<std::byte> bytes = two_partitions().bytes();
  bytes.resize(300 * 512);
  const MemorySource image(bytes);
  CHECK_THROWS_WITH(planned(image, 1000 * 512), ContainsSubstring("data is missing"));
  const Layout layout = planned(image, 1000 * 512, {.truncated = Truncated::allow});
  const Region& lacking = layout.regions.at(350 * 512);
  CHECK(lacking.origin == Origin::hole);
  CHECK(lacking.role == Role::content);
  CHECK(layout.free_space == sectors(400, 567));
}

TEST_CASE("A backup array of the image's own is served where nothing moves, else the primary's")
{
  const auto source_of = [](const Layout& layout) {
    return layout.regions.at(range_of(layout, Role::backup_array).offset).source_offset;
  };
  CHECK(source_of(planned(image_of(two_partitions()), 512 * 512)) == 479 * 512);
  CHECK(source_of(planned(image_of(two_partitions()), 513 * 512)) == 2 * 512);
}

TEST_CASE("A partition that ends behind every disk leaves no size, and one in the way of the backup a larger one")
{
  TestDisk disk = two_partitions();
  disk.entries[1].last_lba = UINT64_MAX;
  const MemorySource endless = image_of(disk);
  const Table table = choose_table(endless, find_tables(endless, std::nullopt), TableChoice::primary);
  CHECK_THROWS_WITH(plan_layout(endless, table, {1000 * 512}, {.truncated = Truncated::allow}),
                    ContainsSubstring("would put the backup table on a partition") &&
                        ContainsSubstring("no size is possible"));
  CHECK_THROWS_WITH(smallest_size(endless, table), ContainsSubstring("no size is possible"));

  // Data behind the old backup: the table does not go over it, but behind it.
  disk = two_partitions();
  disk.sectors = 700;
  disk.entries.push_back({4, 550, 650, 4});
  std::vector<std::byte> bytes = disk.bytes();
  const MemorySource behind(bytes);
  CHECK_THROWS_WITH(planned(behind, 600 * 512),
                    ContainsSubstring("would put the backup table on a partition") && ContainsSubstring("slot 4 ends"));
  CHECK_THROWS_WITH(planned(behind, 670 * 512),
                    ContainsSubstring("would put the backup table on a partition") &&
                        ContainsSubstring(fmt::format("the next possible size is {}", (651 + 33) * 512)));
  CHECK_NOTHROW(planned(behind, (651 + 33) * 512));
}
