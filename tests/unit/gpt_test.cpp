// SPDX-License-Identifier: BSD-3-Clause
#include "core/error.h"
#include "core/gpt/table.h"
#include "tests/unit/catch2.h"
#include "tests/unit/served_disk.h"

using namespace gptgrow;

namespace {

Gpt gpt()
{
  return gpt_of(served(two_partitions().bytes(), 700 * 512));
}

std::vector<std::uint32_t> slots(const Gpt& table)
{
  std::vector<std::uint32_t> result;
  for (const Entry& entry : used_entries(table.array(), table.entry_size_bytes))
    result.push_back(entry.slot);
  return result;
}

/// Both tables of a disk that has these bytes are valid, and mirror each other.
void check_sound(const Gpt& table)
{
  std::vector<std::byte> disk(table.disk_size_bytes);
  for (const Structure* structure : table.all())
    std::ranges::copy(structure->bytes, disk.begin() + static_cast<std::ptrdiff_t>(structure->offset));
  const FoundTables found = find_tables(MemorySource(disk), std::nullopt);
  CHECK(found.primary.valid());
  REQUIRE(found.backup);
  CHECK(mirrors(found.primary, *found.backup));
}

}  // namespace

TEST_CASE("A served table is all its structures, in the order of their roles")
{
  const Gpt table = gpt();
  std::vector<Role> roles;
  for (const Structure* structure : table.all())
    roles.push_back(structure->role);
  using enum Role;
  CHECK(roles == std::vector<Role>{mbr, primary_header, primary_array, backup_array, backup_header, old_backup_array,
                                   old_backup_header});
  CHECK(table.backup_header.offset == 699 * 512);
  CHECK(table.array_size_bytes == 128 * 128);
  check_sound(table);
}

TEST_CASE("Entries are moved all at once, in both arrays")
{
  Gpt table = gpt();
  move_slots(table, {{1, 3}, {3, 1}});
  CHECK(slots(table) == std::vector<std::uint32_t>{1, 3});
  CHECK(used_entries(table.array(), table.entry_size_bytes)[0].first_lba == Lba{200});
  check_sound(table);
  move_slots(table, {{1, 128}});
  CHECK(slots(table) == std::vector<std::uint32_t>{3, 128});
  CHECK(is_zero(table.array().first(128)));
  check_sound(table);
}

TEST_CASE("A move that would lose an entry, or has none, is refused, and changes nothing")
{
  const Gpt before = gpt();
  for (const std::vector<SlotMove>& moves :
       {std::vector<SlotMove>{{1, 3}}, {{2, 4}}, {{1, 129}}, {{0, 4}}, {{1, 4}, {1, 5}}, {{1, 4}, {3, 4}}}) {
    Gpt table = before;
    CHECK_THROWS_AS(move_slots(table, moves), Error);
    CHECK(table.primary_array.bytes == before.primary_array.bytes);
    CHECK(table.backup_header.bytes == before.backup_header.bytes);
  }
}

TEST_CASE("An end is set in both arrays")
{
  Gpt table = gpt();
  set_last_lba(table, 3, Lba{500});
  CHECK(used_entries(table.array(), table.entry_size_bytes)[1].last_lba == Lba{500});
  check_sound(table);
}
