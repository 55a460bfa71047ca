// SPDX-License-Identifier: BSD-3-Clause
#include "core/repair/repair.h"

#include "core/error.h"
#include "core/repair/checks.h"
#include "core/repair/same_partitions.h"
#include "core/repair/writes.h"
#include "core/target/medium.h"

#include <algorithm>

namespace gptgrow {

namespace {

/// The survivor of the start is rewritten last.
RepairPlan plan_writes(const Source& disk, const Source& image, const FoundTables& tables, Gpt gpt,
                       const std::vector<Entry>& entries)
{
  if (!is_removable(disk, gpt, image, entries))
    gpt.old_backup.clear();
  std::vector<const Structure*> first{&gpt.backup_array, &gpt.backup_header};
  std::vector<const Structure*> second{&gpt.primary_array, &gpt.primary_header};
  if (!tables.primary.valid())
    std::swap(first, second);
  check_survivor(disk, table_that_counts(disk, tables), first);

  std::vector<const Structure*> order = first;
  order.insert(order.end(), second.begin(), second.end());
  order.push_back(&gpt.mbr);
  check_writes_no_data(disk, order, entries, gpt.sector_size_bytes);
  for (const Structure& structure : gpt.old_backup)
    order.push_back(&structure);
  Writes writes(disk);
  for (const Structure* structure : order)
    writes.add(*structure);
  return plan_of(disk, gpt, std::move(writes));
}

/// The extension of the image that has the same array, where there is one.
std::optional<Extension> as_extended(const Source& disk, const Source& image, Reading reading, const Gpt& gpt,
                                     std::uint32_t slot)
{
  reading.extend = SlotToExtend{slot};
  try {
    const Disk extended(borrowed(image), size_of(disk), reading);
    return std::ranges::equal(extended.array(), gpt.array()) ? extended.extension() : std::nullopt;
  } catch (const Error&) {
    return std::nullopt;
  }
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
  std::vector<std::uint32_t> kept_slots;
  std::optional<Extension> extension;
  if (grown == GrownSlots::keep && !kept.empty()) {
    for (const Grown& each : kept)
      kept_slots.push_back(each.in_image.slot);
    keep_grown(disk, gpt, served.layout().primary, kept, entries);
    entries = used_entries(gpt.array(), gpt.entry_size_bytes);
    extension = as_extended(disk, image, reading, gpt, kept_slots.front());
  }
  check_same_partitions(disk, found, image.name(), entries, replaced_slots);
  check_nothing_lost(disk, tables, entries, replaced_slots);
  std::ranges::copy_if(found, std::back_inserter(entries),
                       [&](const Entry& entry) { return !contains(replaced_slots, entry.slot); });
  RepairPlan plan = plan_writes(disk, served.image(), tables, std::move(gpt), entries);
  plan.overwritten = overwritten(disk, tables, served);
  plan.kept_slots = std::move(kept_slots);
  plan.extension = extension;
  plan.warnings = std::move(warnings);
  return plan;
}

}  // namespace gptgrow
