// SPDX-License-Identifier: BSD-3-Clause
#include "core/error.h"
#include "core/repair/same_partitions.h"
#include "tests/unit/catch2.h"
#include "tests/unit/served_disk.h"

using namespace gptgrow;

namespace {

std::vector<Entry> entries_of(const TestDisk& disk)
{
  return used_entries(disk.array(), disk.entry_size);
}

void check(const TestDisk& found, const TestDisk& wanted, const std::vector<std::uint32_t>& replaced = {})
{
  check_same_partitions(MemorySource({}), entries_of(found), "image", entries_of(wanted), replaced);
}

}  // namespace

TEST_CASE("The same partitions may be in other slots")
{
  TestDisk moved = two_partitions();
  moved.entries[1].slot = 2;
  CHECK_NOTHROW(check(two_partitions(), two_partitions()));
  CHECK_NOTHROW(check(moved, two_partitions()));
}

TEST_CASE("A partition more, less or elsewhere is refused, unless its slot is to be replaced")
{
  TestDisk less = two_partitions(), more = two_partitions(), elsewhere = two_partitions(), other = two_partitions();
  less.entries.pop_back();
  more.entries.push_back({4, 400, 410, 4});
  elsewhere.entries[1].first_lba = 201;
  other.entries[1].id = 9;
  for (const TestDisk& found : {less, elsewhere, other}) {
    CHECK_THROWS_AS(check(found, two_partitions()), Error);
    CHECK_NOTHROW(check(found, two_partitions(), {3}));
  }
  CHECK_THROWS_AS(check(more, two_partitions()), Error);
  CHECK_NOTHROW(check(more, two_partitions(), {4}));
}

TEST_CASE("A partition that only ends further out has grown, and keeps its end where nothing is in the way")
{
  TestDisk found = two_partitions();
  found.entries[0].last_lba = 150;
  const auto grown = grown_partitions(entries_of(found), entries_of(two_partitions()));
  REQUIRE(grown.size() == 1);
  CHECK(grown[0].in_image.last_lba == Lba{99});
  CHECK(grown[0].on_disk.last_lba == Lba{150});

  const Disk disk = served(two_partitions().bytes(), 512 * 512);
  Gpt gpt = gpt_of(disk);
  keep_grown(disk, gpt, disk.layout().primary, grown, entries_of(two_partitions()));
  CHECK(used_entries(gpt.array(), gpt.entry_size_bytes)[0].last_lba == Lba{150});

  found.entries[0].last_lba = 250;
  CHECK_THROWS_WITH(keep_grown(disk, gpt, disk.layout().primary,
                               grown_partitions(entries_of(found), entries_of(two_partitions())),
                               entries_of(two_partitions())),
                    ContainsSubstring("over slot 3"));
}
