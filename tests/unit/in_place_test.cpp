// SPDX-License-Identifier: BSD-3-Clause
// A disk's own table, moved to its end and extended, cut off after any sector: the same command again makes the disk that an
// uncut run makes, to the last bit, whatever the disk was; undoing brings back every byte.
#include "core/gpt/header.h"
#include "core/gpt/mbr.h"
#include "core/repair/undo.h"
#include "tests/unit/catch2.h"
#include "tests/unit/memory_source.h"
#include "tests/unit/power_cut.h"
#include "tests/unit/test_disk.h"

using namespace gptgrow;

namespace {

enum class Damage {
  none,
  primary_header,
  primary_header_gone,
  primary_array,
  backup_header,
  backup_array_partly_zero,
  other_backup,  // another byte in an unused slot
  no_backup,
};
constexpr Damage kDamages[]{Damage::none,          Damage::primary_header, Damage::primary_header_gone,
                            Damage::primary_array, Damage::backup_header,  Damage::backup_array_partly_zero,
                            Damage::other_backup,  Damage::no_backup};

/// SizeInLBA of the protective record.
enum class Protects { old_end, everything, new_end, more_than_there_is, nearly_everything, little };
constexpr Protects kProtects[]{Protects::old_end,           Protects::everything,
                               Protects::new_end,           Protects::more_than_there_is,
                               Protects::nearly_everything, Protects::little};

struct Class {
  std::uint32_t sector_size = 512;
  std::int64_t growth = 0;  // sectors that the table does not know of
  Damage damage = Damage::none;
  Protects protects = Protects::old_end;
  bool own_backup = false;  // its reserved bytes, place of its array and bytes behind the last slot are its own
  bool extend = true;
};

TestDisk table_of(const Class& c)
{
  return {.sector_size = c.sector_size,
          .sectors = static_cast<std::uint64_t>((c.sector_size == 512 ? 160 : 40) + c.growth),
          .disk_end = c.sector_size == 512 ? 160U : 40U,
          .entry_count = c.sector_size == 512 ? 14U : 36U,  // the last sector of an array is not full
          .first_usable_lba = 8,
          .header_tail = 0x11,
          .entries = {{1, 20, 26, 1}, {2, 10, 17, 2}, {3, 18, 19, 3}}};
}

/// Sets both CRCs of the table whose header is at `lba`.
void reseal(Bytes& disk, const TestDisk& table, std::uint64_t lba)
{
  const auto sector = std::span(disk).subspan(lba * table.sector_size, table.sector_size);
  const auto array =
      std::span(disk).subspan(get_field<std::uint64_t>(sector, 72) * table.sector_size, table.array().size());
  put_field<std::uint32_t>(sector, 88, crc32(array));
  put_field<std::uint32_t>(sector, kHeaderCrc32Offset, 0);
  put_field<std::uint32_t>(sector, kHeaderCrc32Offset, crc32(sector.first(table.header_size)));
}

Bytes disk_of(const Class& c)
{
  const TestDisk table = table_of(c);
  TestDisk whole = table;
  whole.sectors = std::max(table.sectors, table.disk_end);
  Bytes disk = whole.bytes();
  const std::uint64_t s = table.sector_size, end = table.disk_end - 1;
  const std::size_t used = table.array().size(), sectors_used = table.array_sectors() * s;
  std::uint64_t array = (end - table.array_sectors()) * s;
  std::memset(disk.data() + 2 * s + used, 0x21, sectors_used - used);
  std::memset(disk.data() + array + used, 0x21, sectors_used - used);
  if (c.own_backup) {
    std::memset(disk.data() + array + used, 0x42, sectors_used - used);
    std::memmove(disk.data() + array - 2 * s, disk.data() + array, sectors_used);
    std::memset(disk.data() + end * s - 2 * s, 0x63, 2 * s);
    array -= 2 * s;
    std::memset(disk.data() + end * s + table.header_size, 0x77, s - table.header_size);
    put_field<std::uint64_t>(disk, end * s + 72, array / s);
    reseal(disk, table, end);
  }
  for (std::uint64_t at = table.disk_end * s; at < disk.size(); ++at)
    disk[at] = static_cast<std::byte>(at * 13 + at / 512);
  switch (c.damage) {
  case Damage::none: break;
  case Damage::primary_header: disk[s + 44] ^= std::byte{0x40}; break;
  case Damage::primary_header_gone: std::memset(disk.data() + s, 0, s); break;
  case Damage::primary_array: disk[2 * s + 60] ^= std::byte{1}; break;
  case Damage::backup_header: disk[end * s + 44] ^= std::byte{0x40}; break;
  case Damage::backup_array_partly_zero: std::memset(disk.data() + array, 0, 512); break;
  case Damage::other_backup:
    disk[array + std::uint64_t{table.entry_size} * 10 + 70] = std::byte{9};
    reseal(disk, table, end);
    break;
  case Damage::no_backup: std::memset(disk.data() + array, 0, (end + 1) * s - array); break;
  }
  const std::uint64_t last = table.sectors - 1;
  const auto size_in_lba = [&]() -> std::uint64_t {
    switch (c.protects) {
    case Protects::old_end: return end;
    case Protects::everything: return UINT32_MAX;
    case Protects::new_end: return last;
    case Protects::more_than_there_is: return last + 1000;
    case Protects::nearly_everything: return UINT32_MAX - 1;
    case Protects::little: return 5;
    }
    return 0;
  }();
  put_field(disk, 458, static_cast<std::uint32_t>(size_in_lba));
  if (c.protects == Protects::little) {
    disk[466] = std::byte{0x0c};
    put_field<std::uint32_t>(disk, 470, 10);
    put_field<std::uint32_t>(disk, 474, 8);
  }
  disk.resize(table.sectors * s);
  return disk;
}

RepairPlan plan_for(const Class& c, const Bytes& disk)
{
  Reading reading{.policy = {.truncated = Truncated::allow}};
  if (c.extend)
    reading.extend = SlotToExtend{};
  return plan_in_place(MemorySource(disk), reading);
}

Bytes run(const Class& c, const Bytes& disk)
{
  return complete(disk, plan_for(c, disk).writes);
}

bool has_valid_table(const Class& c, const Bytes& disk, const std::vector<Partitions>& wanted)
{
  const TestDisk table = table_of(c);
  for (const std::uint64_t lba : {std::uint64_t{1}, table.sectors - 1, table.disk_end - 1}) {
    if (lba >= table.sectors)
      continue;
    const FoundTable found = read_table(MemorySource(disk), table.sector_size, Lba{lba});
    if (found.valid() && std::ranges::find(wanted, partitions(found.array, table.entry_size)) != wanted.end())
      return true;
  }
  return false;
}

std::vector<Class> classes()
{
  std::vector<Class> all;
  for (const std::uint32_t sector_size : {512U, 4096U})
    for (const std::int64_t growth : {-8, 0, 2, 30})
      for (const Damage damage : kDamages)
        for (const Protects protects : kProtects)
          for (const bool own_backup : {false, true})
            for (const bool extend : {false, true})
              if (sector_size == 512 || (protects == Protects::old_end && growth != -8))
                all.push_back({sector_size, growth, damage, protects, own_backup, extend});
  return all;
}

/// After how many sectors it is cut. With long steps, not before the first: some disks take no more than one step.
std::vector<std::size_t> cuts(const std::vector<gptgrow::Write>& writes, std::size_t sector_bytes)
{
  std::vector<std::size_t> result;
  const std::size_t total = total_sectors(writes, sector_bytes);
  for (std::size_t sectors = kStep / 4; sectors < total; sectors += kStep)
    result.push_back(sectors);
  return result;
}

}  // namespace

TEST_CASE("A place of the array that nothing tells is warned of, where something is there")
{
  const auto warns = [](const Bytes& disk) {
    return std::ranges::any_of(plan_for({.extend = false}, disk).warnings, [](const std::string& text) {
      return text.find("nothing tells where the primary array was: it goes to LBA 2") != text.npos;
    });
  };
  Bytes disk = disk_of({.damage = Damage::primary_header_gone});
  CHECK_FALSE(warns(disk));
  disk[1024 + 300] ^= std::byte{1};
  CHECK(warns(disk));
  std::memset(disk.data() + 1024, 0, 4 * 512);
  CHECK_FALSE(warns(disk));
  Bytes damaged = disk_of({.damage = Damage::primary_header});
  damaged[1024 + 300] ^= std::byte{1};
  CHECK_FALSE(warns(damaged));
}

TEST_CASE("Wherever a table in place is cut off, the same command completes what it would have made")
{
  std::size_t tried = 0, states = 0;
  for (const Class& c : classes()) {
    const std::string name =
        fmt::format("sectors of {}, growth {}, damage {}, protects {}, own backup {}, extend {}", c.sector_size,
                    c.growth, static_cast<int>(c.damage), static_cast<int>(c.protects), c.own_backup, c.extend);
    CAPTURE(name);
    const Bytes before = disk_of(c);
    RepairPlan plan;
    try {
      plan = plan_for(c, before);
    } catch (const Error&) {
      continue;
    }
    ++tried;
    const Bytes after = complete(before, plan.writes);
    REQUIRE(plan_for(c, after).writes.empty());
    const TestDisk table = table_of(c);
    std::vector<Partitions> wanted{partitions(table.array(), table.entry_size)};
    if (c.extend) {
      TestDisk extended = table;
      extended.entries[0].last_lba = plan.extension->after.value;
      wanted.push_back(partitions(extended.array(), extended.entry_size));
    }
    const Undo undo{plan.disk_size_bytes, plan.sector_size_bytes, plan.writes};
    for (const Order order : {Order::ascending, Order::odd_first}) {
      if (!kEveryOrder && order != Order::odd_first)
        continue;
      for (const std::size_t sectors : cuts(plan.writes, c.sector_size)) {
        CAPTURE(static_cast<int>(order), sectors);
        ++states;
        const Bytes state = cut_after(before, plan.writes, sectors, order, c.sector_size);
        REQUIRE(has_valid_table(c, state, wanted));
        const RepairPlan again = plan_for(c, state);
        REQUIRE(same(complete(state, again.writes), after));
        // Cut again, and completed at last.
        if (const std::size_t left = total_sectors(again.writes, c.sector_size); left > 1) {
          const Bytes twice = cut_after(state, again.writes, left / 2, order, c.sector_size);
          REQUIRE(has_valid_table(c, twice, wanted));
          REQUIRE(same(run(c, twice), after));
        }
        // The other command instead: the disk ends where it ends.
        if (c.protects == Protects::old_end && c.growth != 0) {
          Class other = c;
          other.extend = !c.extend;
          const Bytes ended = run(other, state);
          REQUIRE(mbr_records(ended)[0].size_in_lba == table.sectors - 1);
          REQUIRE(read_table(MemorySource(ended), c.sector_size, kPrimaryLba).valid());
          REQUIRE(plan_for(other, ended).writes.empty());
        }
        const auto back = plan_undo(MemorySource(state), undo);
        REQUIRE(same(complete(state, back), before));
        // Taken back in part: there is a valid table, and both ways are open.
        if (const std::size_t left = total_sectors(back, c.sector_size); left > 1) {
          const Bytes half = cut_after(state, back, left / 2, order, c.sector_size);
          REQUIRE(has_valid_table(c, half, wanted));
          REQUIRE(same(complete(half, plan_undo(MemorySource(half), undo)), before));
          REQUIRE(same(run(c, half), after));
        }
      }
    }
  }
  fmt::print("{} classes of disks, {} states\n", tried, states);
  CHECK(tried > 400);
}

TEST_CASE("A new backup that nobody knows, or that is whole beside the old one, does not count")
{
  TestDisk table{
      .sectors = 200, .disk_end = 160, .entry_count = 14, .first_usable_lba = 8, .entries = {{1, 20, 26, 1}}};
  const Bytes before = table.bytes();
  const std::vector<gptgrow::Write> writes = plan_in_place(MemorySource(before), {}).writes;
  const Bytes after = complete(before, writes);
  Bytes unknown = cut_after(before, writes, 1, Order::ascending);
  unknown[199 * 512 + kHeaderCrc32Offset] ^= std::byte{1};
  CHECK(same(complete(unknown, plan_in_place(MemorySource(unknown), {}).writes), after));
  Bytes beside = before;
  std::copy(after.begin() + 190 * 512, after.end(), beside.begin() + 190 * 512);
  CHECK(same(complete(beside, plan_in_place(MemorySource(beside), {}).writes), after));
}

TEST_CASE("A backup that is asked for becomes the table, also where the primary is valid")
{
  TestDisk table{
      .sectors = 160, .disk_end = 160, .entry_count = 14, .first_usable_lba = 8, .entries = {{1, 20, 26, 1}}};
  TestDisk older = table;
  older.entries[0].last_lba = 25;
  Bytes disk = table.bytes();
  const Bytes other = older.bytes();
  std::copy(other.begin() + 150 * 512, other.end(), disk.begin() + 150 * 512);
  CHECK(same(complete(disk, plan_in_place(MemorySource(disk), {.table = TableChoice::backup}).writes), other));
  CHECK(same(complete(disk, plan_in_place(MemorySource(disk), {}).writes), table.bytes()));
  // Slots are moved in a table that is whole, and in no other.
  disk = table.bytes();
  const Bytes moved = complete(disk, plan_in_place(MemorySource(disk), {}, {{1, 3}}).writes);
  table.entries[0].slot = 3;
  CHECK(same(moved, table.bytes()));
  disk[512 + 40] ^= std::byte{1};
  CHECK_THROWS_WITH(plan_in_place(MemorySource(disk), {}, {{1, 3}}), ContainsSubstring("slots cannot be moved"));
  CHECK_NOTHROW(plan_in_place(MemorySource(disk), {.table = TableChoice::backup}));
}
