// SPDX-License-Identifier: BSD-3-Clause
#include "core/repair/repair.h"

#include "core/compare/named_fields.h"
#include "core/error.h"
#include "core/gpt/which_backup.h"
#include "core/repair/same_partitions.h"
#include "core/target/medium.h"

#include <fmt/format.h>

#include <algorithm>

namespace gptgrow {

namespace {

const FoundTable& table_that_counts(const Source& disk, const FoundTables& tables)
{
  if (tables.primary.valid())
    return tables.primary;
  if (tables.backup && tables.backup->valid() && !tables.rival)
    return *tables.backup;
  (void)choose_table(disk, tables, TableChoice::primary);  // throws: it says what is wrong
  refuse("{}: no valid GPT", disk.name());
}

/// Refuses a backup that the damaged primary speaks against, or beside which there is another one.
void check_own_backup(const Source& disk, const FoundTables& tables)
{
  const FoundTable &primary = tables.primary, &backup = *tables.backup;
  if (primary.header.has_signature()) {
    if (!may_belong(disk, primary, backup.header))
      refuse_with({"table", "backup", "would take it"},
                  "{}: the primary table is damaged, and the only valid one seems to be of another disk: {}; expected "
                  "DiskGUID {}; nothing is written",
                  disk.name(), describe_contents(backup), guid_text(primary.header.disk_guid()));
    return;
  }
  for (const FoundTable& stray : tables.strays)
    if (stray.header.sector_size_bytes() == tables.sector_size_bytes)
      refuse_with({"table", "backup", "would take the first"},
                  "{}: two valid backup tables differ, and nothing tells which one is this disk's: {}; {}; nothing is "
                  "written",
                  disk.name(), describe_contents(backup), describe_contents(stray));
}

/// Refuses to lose a partition that the damaged primary table still shows.
void check_nothing_lost(const Source& disk, const FoundTables& tables, const std::vector<Entry>& kept,
                        const std::vector<std::uint32_t>& replaced_slots)
{
  std::vector<Entry> lost = lost_with(disk, tables.primary, kept);
  std::erase_if(lost, [&](const Entry& entry) { return contains(replaced_slots, entry.slot); });
  if (lost.empty())
    return;
  const Entry& entry = lost.front();
  refuse("{}: the damaged primary table still shows a partition that would be lost: slot {}, LBA {}-{}, GUID {}{}; "
         "nothing is written",
         disk.name(), entry.slot, entry.first_lba.value, entry.last_lba.value, guid_text(entry.partition_guid),
         lost.size() == 1 ? "" : fmt::format(", and {} more", lost.size() - 1));
}

/// Refuses to write over data of a partition.
void check_writes_no_data(const Source& disk, const std::vector<const Structure*>& structures,
                          const std::vector<Entry>& entries, std::uint32_t sector_size_bytes)
{
  for (const Structure* structure : structures)
    for (const Entry& entry : entries)
      if (overlap(structure->range(), bytes_of(entry, sector_size_bytes, disk.size_bytes())))
        refuse("{}: the {} would be at byte {}, which is in the partition of slot {} (LBA {}-{}): nothing is written",
               disk.name(), name_of(structure->role), structure->offset, entry.slot, entry.first_lba.value,
               entry.last_lba.value);
}

/// Refuses when the table that is rewritten first would hurt the one that has to survive that.
void check_survivor(const Source& disk, const FoundTable& survivor, const std::vector<const Structure*>& first)
{
  const Header& header = survivor.header;
  const std::uint32_t sector_size_bytes = header.sector_size_bytes();
  for (const Structure* structure : first)
    for (const ByteRange range : {bytes_of(survivor.at, 1, sector_size_bytes),
                                  bytes_of(header.partition_entry_lba(), header.array_sectors(), sector_size_bytes)})
      if (overlap(structure->range(), range))
        refuse("{}: the new {} would lie on the only valid table, whose header is at LBA {}: nothing is written",
               disk.name(), name_of(structure->role), survivor.at.value);
}

/// Whether the disk holds the image's bytes there, or zeros where an earlier repair was cut off.
bool is_known_or_zero(const std::vector<std::byte>& disk, const std::vector<std::byte>& image)
{
  for (std::size_t at = 0; at < disk.size(); at += kAtomicBytes) {
    const std::size_t size = std::min(kAtomicBytes, disk.size() - at);
    const auto part = [&](const std::vector<std::byte>& bytes) { return std::span(bytes).subspan(at, size); };
    if (!is_zero(part(disk)) && !std::ranges::equal(part(disk), part(image)))
      return false;
  }
  return true;
}

/// What of the old backup may become zeros: on this disk it is still the one that is known to be left behind.
std::vector<const Structure*> removable(const Source& disk, const Gpt& gpt, const Source& image,
                                        const std::vector<Entry>& entries)
{
  std::vector<const Structure*> result;
  for (const Structure& structure : gpt.old_backup) {
    const bool is_data = std::ranges::any_of(entries, [&](const Entry& entry) {
      return overlap(structure.range(), bytes_of(entry, gpt.sector_size_bytes, disk.size_bytes()));
    });
    if (is_data || !is_known_or_zero(read_bytes(disk, structure.range()), read_bytes(image, structure.range())))
      return {};
    result.push_back(&structure);
  }
  return result;
}

RepairPlan plan_writes(const Source& disk, const Source& image, const FoundTables& tables, Gpt gpt,
                       const std::vector<Entry>& entries)
{
  const FoundTable& counts = table_that_counts(disk, tables);
  const auto old_backup = removable(disk, gpt, image, entries);
  std::vector<const Structure*> first{&gpt.backup_array, &gpt.backup_header};
  std::vector<const Structure*> second{&gpt.primary_array, &gpt.primary_header};
  if (!tables.primary.valid())
    std::swap(first, second);
  check_survivor(disk, counts, first);

  std::vector<const Structure*> order = first;
  order.insert(order.end(), second.begin(), second.end());
  order.push_back(&gpt.mbr);
  check_writes_no_data(disk, order, entries, gpt.sector_size_bytes);
  order.insert(order.end(), old_backup.begin(), old_backup.end());

  RepairPlan plan{.disk_size_bytes = disk.size_bytes(),
                  .sector_size_bytes = gpt.sector_size_bytes,
                  .writes = {},
                  .changes = {},
                  .overwritten = {},
                  .extension = {},
                  .warnings = {}};
  for (const Structure* structure : order)
    if (std::vector<std::byte> before = read_bytes(disk, structure->range()); before != structure->bytes)
      plan.writes.push_back({name_of(structure->role), structure->offset, std::move(before), structure->bytes});
  if (old_backup.empty())
    gpt.old_backup.clear();
  plan.changes = changes(disk, gpt);
  return plan;
}

void check_whole_sectors(const Source& disk, std::uint32_t sector_size_bytes)
{
  if (disk.device_sector_size_bytes() != 0 && disk.device_sector_size_bytes() != sector_size_bytes)
    refuse("{}: sectors of {} bytes, expected {} as in the table: its partitions would not be seen", disk.name(),
           disk.device_sector_size_bytes(), sector_size_bytes);
}

/// An earlier run may have been cut off while it rewrote the primary table.
/// Where the primary is damaged, by a write that was cut off perhaps, the backup: if it is this disk's own, and has all that
/// can still be seen of the primary.
Reading from_valid_table(const Source& disk, const FoundTables& tables, Reading reading)
{
  if (tables.primary.valid())
    return reading;
  if (reading.table != TableChoice::backup) {
    check_own_backup(disk, tables);
    check_nothing_lost(disk, tables, used_entries(tables.backup->array, tables.backup->header.entry_size_bytes()), {});
  }
  reading.table = TableChoice::backup;
  return reading;
}

}  // namespace

RepairPlan plan_repair_from_image(const Source& disk, const Source& image, const Reading& reading,
                                  const std::vector<std::uint32_t>& replaced_slots, GrownSlots grown)
{
  if (same_medium(disk, image))
    refuse_with({"relocate", "", "repairs a disk from itself"},
                "{}: is the image itself, {}: nothing to repair it from", disk.name(), image.name());
  const FoundTables tables = find_tables(disk, reading.sector_size_bytes);
  const FoundTable& counts = table_that_counts(disk, tables);
  const Disk served(borrowed(image), size_of(disk), reading);
  Gpt gpt = gpt_of(served);
  if (tables.sector_size_bytes != gpt.sector_size_bytes)
    refuse("{}: table for {}-byte sectors, expected {} as in {}", disk.name(), tables.sector_size_bytes,
           gpt.sector_size_bytes, image.name());
  check_whole_sectors(disk, gpt.sector_size_bytes);

  const std::uint64_t slot_count =
      std::max<std::uint64_t>(gpt.array_size_bytes / gpt.entry_size_bytes, counts.header.entry_count());
  for (const std::uint32_t slot : replaced_slots)
    if (slot == 0 || slot > slot_count)
      refuse("slot {}: expected 1 to {}", slot, slot_count);
  const std::vector<Entry> found = used_entries(counts.array, counts.header.entry_size_bytes());
  std::vector<Entry> entries = used_entries(gpt.array(), gpt.entry_size_bytes);
  std::vector<Grown> kept = grown_partitions(found, entries);
  std::vector<std::string> warnings = served.warnings();
  for (const Grown& each : kept)
    if (is_replaced(replaced_slots, each))
      warnings.push_back(describe(each));
  std::erase_if(kept, [&](const Grown& each) { return is_replaced(replaced_slots, each); });
  if (grown == GrownSlots::keep && !kept.empty()) {
    keep_grown(disk, gpt, served.layout().primary, kept, entries);
    entries = used_entries(gpt.array(), gpt.entry_size_bytes);
  }
  check_same_partitions(disk, found, image.name(), entries, replaced_slots);
  check_nothing_lost(disk, tables, entries, replaced_slots);
  std::ranges::copy_if(found, std::back_inserter(entries),
                       [&](const Entry& entry) { return !contains(replaced_slots, entry.slot); });
  RepairPlan plan = plan_writes(disk, served.image(), tables, std::move(gpt), entries);
  plan.overwritten = overwritten(disk, tables, served);
  plan.warnings = std::move(warnings);
  return plan;
}

RepairPlan plan_extension(const Source& disk, Reading reading)
{
  const FoundTables tables = find_tables(disk, reading.sector_size_bytes);
  (void)table_that_counts(disk, tables);
  const Disk served(borrowed(disk), size_of(disk), from_valid_table(disk, tables, reading));
  const Gpt gpt = gpt_of(served);
  check_whole_sectors(disk, gpt.sector_size_bytes);
  const std::vector<Entry> entries = served.table().used_entries();
  if (!gpt.old_backup.empty() && removable(disk, gpt, disk, entries).empty())
    refuse_with({"relocate", "", "moves the backup, and leaves that one as it is"},
                "{}: the backup table that is left behind, at byte {}, lies in a partition: nothing is written",
                disk.name(), gpt.old_backup.front().offset);
  RepairPlan plan = plan_writes(disk, disk, tables, gpt, entries);
  plan.warnings = served.warnings();
  plan.extension = served.extension();
  return plan;
}

RepairPlan plan_repair_in_place(const Source& disk, Reading reading, const std::vector<SlotMove>& moves)
{
  const FoundTables tables = find_tables(disk, reading.sector_size_bytes);
  (void)table_that_counts(disk, tables);
  if (!tables.primary.valid() && !moves.empty())
    throw Error(
        message("{}: the primary table is damaged, slots cannot be moved: if an earlier repair was cut off, take "
                "it back, or make it whole, first",
                disk.name()),
        {{"undo", "FILE", "takes it back"}, {"relocate", "", "makes it whole"}});
  const Disk served(borrowed(disk), size_of(disk), from_valid_table(disk, tables, reading));
  Gpt gpt = gpt_of(served);
  check_whole_sectors(disk, gpt.sector_size_bytes);
  if (!moves.empty())
    move_slots(gpt, moves);
  const std::vector<Entry> entries = used_entries(gpt.array(), gpt.entry_size_bytes);
  RepairPlan plan = plan_writes(disk, disk, tables, std::move(gpt), entries);
  plan.warnings = served.warnings();
  return plan;
}

void write_and_check(const std::vector<Write>& writes, Target& target)
{
  for (const Write& write : writes) {
    target.write(write.offset, write.after);
    target.flush();
  }
  for (const Write& write : writes) {
    std::vector<std::byte> found(write.after.size());
    target.read(write.offset, found);
    const auto [wrong, expected] = std::ranges::mismatch(found, write.after);
    if (wrong != found.end())
      refuse("the {} does not hold what was written: byte {} is 0x{:02x}, expected 0x{:02x}; the disk is failing, or "
             "something else writes to it",
             write.what, write.offset + static_cast<std::uint64_t>(wrong - found.begin()),
             std::to_integer<unsigned>(*wrong), std::to_integer<unsigned>(*expected));
  }
}

}  // namespace gptgrow
