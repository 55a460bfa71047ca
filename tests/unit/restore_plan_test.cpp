// SPDX-License-Identifier: BSD-3-Clause
#include "core/restore/restore_plan.h"
#include "tests/unit/catch2.h"
#include "tests/unit/served_disk.h"

using namespace gptgrow;

namespace {

constexpr std::uint64_t kGrownSize = 100'000 * 512;
constexpr std::uint64_t kHead = 6 * 4096, kTail = 5 * 4096;

Disk grown()
{
  return served(two_partitions().bytes(), kGrownSize);
}

std::uint64_t sum(const std::vector<ByteRange>& ranges)
{
  std::uint64_t bytes = 0;
  for (const ByteRange& range : ranges)
    bytes += range.size;
  return bytes;
}

}  // namespace

TEST_CASE("A table is written from its end to its beginning")
{
  const Disk disk = grown();
  const RestorePlan plan = plan_restore(disk, {}, FreeSpace::discard);
  std::vector<std::vector<Role>> steps;
  for (const auto& step : plan.table_steps()) {
    steps.emplace_back();
    for (const Structure* structure : step)
      steps.back().push_back(structure->role);
  }
  using enum Role;
  CHECK(steps == std::vector<std::vector<Role>>{{backup_array, backup_header}, {primary_array, primary_header}, {mbr}});
}

TEST_CASE("A header for larger sectors among the data comes when all else is there")
{
  TestDisk table = two_partitions();
  table.primary_array_lba = 14;
  std::vector<std::byte> image = table.bytes();
  const std::string_view signature = "EFI PART";
  std::memcpy(image.data() + 4096, signature.data(), signature.size());
  const Disk disk = served(image, kGrownSize);
  const RestorePlan plan = plan_restore(disk, {}, FreeSpace::discard);
  const auto steps = plan.table_steps();
  REQUIRE(steps.back().size() == 2);
  CHECK(steps.back().back()->range() == ByteRange{4096, 512});
  CHECK(std::ranges::equal(steps.back().back()->bytes, std::span(image).subspan(4096, 512)));
  CHECK(std::ranges::count(plan.not_filled, ByteRange{4096, 512}) == 1);
  image[4096] = std::byte{'e'};
  CHECK_FALSE(plan_restore(served(image, kGrownSize), {}, FreeSpace::discard).other_header);
}

TEST_CASE("The headers that are there are wiped first, wherever they are, then both ends, the beginning last")
{
  const Disk disk = grown();
  const std::vector<ByteRange> ends{{kGrownSize - kTail, kTail}, {0, kHead}};
  const auto steps = [&](const std::vector<ByteRange>& headers) {
    return plan_restore(disk, {true, headers, {}}, FreeSpace::discard).wipe_steps;
  };
  CHECK(steps({}) == std::vector<std::vector<ByteRange>>{ends});
  for (const std::uint64_t backup : {std::uint64_t{50'000 * 512}, kGrownSize - 512, kHead - 512}) {
    const std::vector<ByteRange> headers{{512, 512}, {backup, 512}};
    CHECK(steps(headers) == std::vector<std::vector<ByteRange>>{headers, ends});
  }
}

TEST_CASE("The ends of the smallest disk overlap, and nothing lies past it")
{
  TestDisk small = two_partitions();
  small.entries = {{1, 48, 50, 1}};
  const std::uint64_t size = (51 + 33) * 512;
  const Disk disk = served(small.bytes(), size);
  const RestorePlan plan = plan_restore(disk, {}, FreeSpace::discard);
  for (const ByteRange& range : plan.wipe_steps.back())
    CHECK(range.end() <= size);
  CHECK(plan.needs_space == std::vector<ByteRange>{{0, size}});
}

TEST_CASE("Signatures that touch the free space are wiped, and no others")
{
  const Disk disk = grown();
  const ByteRange free = disk.layout().free_space;
  const Signature inside{{free.offset + 1024, 8}, "ext4", "", ""}, at_edge{{free.offset - 4, 8}, "LVM2_member", "", ""},
      in_data{{free.offset - 8, 8}, "xfs", "", ""}, in_table{{free.end(), 8}, "swap", "", ""};
  const RestorePlan plan = plan_restore(disk, {true, {}, {inside, at_edge, in_data, in_table}}, FreeSpace::discard);
  REQUIRE(plan.stale_signatures.size() == 2);
  CHECK(plan.stale_signatures[0].type == "ext4");
  CHECK(plan.stale_signatures[1].type == "LVM2_member");
}

TEST_CASE("A new file needs space for data and table alone, one that is there also for what is not whole blocks")
{
  const Disk disk = grown();
  // Data: LBA 34-478; the table and its surroundings at both ends.
  const RestorePlan made = plan_restore(disk, {}, FreeSpace::discard);
  CHECK(made.needs_space == std::vector<ByteRange>{{0, 479 * 512}, {kGrownSize - kTail, kTail}});
  const RestorePlan there = plan_restore(disk, {true, {}, {}}, FreeSpace::discard);
  CHECK(sum(there.needs_space) > sum(made.needs_space));
  CHECK(sum(there.needs_space) - sum(made.needs_space) < 4 * 4096);
}

TEST_CASE("What is not filled is the table, kept free space, and the holes of a new file")
{
  const Disk disk = grown();
  const std::uint64_t table = 34 * 512 + 33 * 512, old_backup = 33 * 512, free = disk.layout().free_space.size;
  const auto not_filled = [&](bool exists, FreeSpace free_space) {
    return sum(plan_restore(disk, {exists, {}, {}}, free_space).not_filled);
  };
  CHECK(not_filled(true, FreeSpace::discard) == table);
  CHECK(not_filled(true, FreeSpace::zero) == table);
  CHECK(not_filled(true, FreeSpace::keep) == table + free);
  CHECK(not_filled(false, FreeSpace::discard) == table + old_backup + free);
}
