// SPDX-License-Identifier: BSD-3-Clause
#include "core/error.h"
#include "core/gpt/mbr.h"
#include "core/gpt/which_backup.h"
#include "core/repair/checks.h"
#include "core/repair/cut_off.h"
#include "core/repair/repair.h"
#include "core/repair/writes.h"

#include <fmt/format.h>

#include <algorithm>

namespace gptgrow {

namespace {

constexpr const char* kWasCutOff = "an earlier run was cut off: what it has begun is completed";

/// What becomes of a disk's own table.
struct Wanted {
  Gpt gpt;
  std::vector<Entry> entries;  // nothing may be written over these
  bool had_backup = false;
  std::optional<Extension> extension;
  std::vector<std::string> warnings;
};

/// `start` is `disk` as it was before the first of the writes.
Wanted wanted(const Source& disk, const Source& start, const Reading& reading, const std::vector<SlotMove>& moves)
{
  const Disk served(borrowed(start), size_of(disk), reading);
  Wanted result{.gpt = gpt_of(served),
                .entries = served.table().used_entries(),
                .had_backup = served.table().backup.has_value(),
                .extension = served.extension(),
                .warnings = served.warnings()};
  Gpt& gpt = result.gpt;
  check_whole_sectors(disk, gpt.sector_size_bytes);
  if (!moves.empty()) {
    move_slots(gpt, moves);
    result.entries = used_entries(gpt.array(), gpt.entry_size_bytes);
  }
  if (is_removable(disk, gpt, start, result.entries))
    return result;
  if (result.extension)
    refuse_with({"relocate", "", "moves the backup, and leaves that one as it is"},
                "{}: the backup table that is left behind, at byte {}, lies in a partition: nothing is written",
                disk.name(), gpt.old_backup.front().offset);
  gpt.old_backup.clear();
  return result;
}

/// What is wanted, if the new backup is that already: then all that comes before the seal is done.
std::optional<Wanted> if_sealed(const Source& disk, const Source& start, const Reading& reading,
                                const std::vector<SlotMove>& moves)
{
  try {
    Wanted result = wanted(disk, start, reading, moves);
    const Writes none(disk);
    if (none.changes(result.gpt.backup_array) || none.changes(result.gpt.backup_header))
      return std::nullopt;
    result.gpt.mbr.bytes = read_bytes(disk, result.gpt.mbr.range());
    return result;
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::optional<Wanted> after_seal(const Source& disk, const FoundTables& tables, Reading reading,
                                 const std::vector<SlotMove>& moves)
{
  const std::optional<NewBackup> backup = find_new_backup(disk, tables);
  if (!backup || !backup->is_sealed)
    return std::nullopt;
  const bool has_old_backup =
      tables.backup && tables.backup->at != tables.last_lba && mirrors(tables.primary, *tables.backup);
  if (has_old_backup && !wanted(disk, disk, reading, moves).gpt.old_backup.empty())
    return std::nullopt;
  reading.policy.old_backup = OldBackup::keep;
  Patched start(disk);
  std::optional<Wanted> result;
  if (put_moved_back(start, tables, backup->header))
    result = if_sealed(disk, start, reading, moves);
  return result ? std::move(result) : if_sealed(disk, disk, reading, moves);
}

/// What is wanted of a disk whose primary table is whole; else it throws.
Wanted wanted_of(const Source& disk, const FoundTables& tables, const Reading& reading,
                 const std::vector<SlotMove>& moves)
{
  if (!tables.primary.valid())
    return wanted(disk, disk, reading, moves);
  if (auto unsealed = find_unsealed(disk, tables)) {
    Patched start(disk);
    if (unsealed->had_backup)
      put_moved_back(start, tables, unsealed->header);
    Wanted result = wanted(disk, start, reading, moves);
    result.gpt.mbr.bytes = std::move(unsealed->mbr);
    result.warnings.emplace_back(kWasCutOff);
    return result;
  }
  if (auto result = after_seal(disk, tables, reading, moves)) {
    if (Writes(disk).changes(result->gpt.primary_header))
      result->warnings.emplace_back(kWasCutOff);
    return std::move(*result);
  }
  return wanted(disk, disk, reading, moves);
}

void check_can_be_moved(const Source& disk, const FoundTables& tables, const std::vector<SlotMove>& moves)
{
  if (!tables.primary.valid() && !moves.empty())
    throw Error(
        message("{}: the primary table is damaged, slots cannot be moved: if an earlier repair was cut off, take "
                "it back, or make it whole, first",
                disk.name()),
        {{"undo", "FILE", "takes it back"}, {"relocate", "", "makes it whole"}});
}

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

/// Its last sector first: what is in there behind the last slot, no CRC covers.
void add_primary_array(const Structure& array, std::uint32_t sector_size_bytes, Writes& writes)
{
  const std::size_t rest = array.bytes.size() - sector_size_bytes;
  writes.add(name_of(array.role), array.offset + rest, std::span(array.bytes).subspan(rest));
  writes.add(name_of(array.role), array.offset, std::span(array.bytes).first(rest));
}

/// Rebuilds the primary table from the backup, for the end of the disk that the backup knows.
void rebuild_primary(const Source& disk, const FoundTables& tables, const Table& table, Writes& writes)
{
  const std::uint64_t sectors = table.primary.array_sectors();
  const auto bytes = [&](Lba lba, std::uint64_t count) { return bytes_of(lba, count, table.sector_size_bytes); };
  const Structure array{Role::primary_array, bytes(table.primary.partition_entry_lba(), sectors).offset,
                        read_bytes(disk, bytes(table.array_source_lba, sectors))};
  const auto sector = table.primary.sector();
  const Structure header{Role::primary_header, bytes(kPrimaryLba, 1).offset, {sector.begin(), sector.end()}};
  check_survivor(disk, *tables.backup, {&header, &array});
  check_writes_no_data(disk, {&header, &array}, table.used_entries(), table.sector_size_bytes);
  // An old header with a right CRC would become valid with the array, and count.
  if (has_right_crc(tables.primary.header))
    writes.add(header);
  add_primary_array(array, table.sector_size_bytes, writes);
  writes.add(header);
}

/// Where nothing is left that tells the place of the primary array, it goes where most have it.
void warn_of_guessed_place(const Source& disk, const FoundTables& tables, const Table& table,
                           std::vector<std::string>& warnings)
{
  const Header& damaged = tables.primary.header;
  const Lba at = table.primary.partition_entry_lba();
  const ByteRange place = bytes_of(at, table.primary.array_sectors(), table.sector_size_bytes);
  if (has_right_crc(damaged) || (is_legible(damaged) && damaged.partition_entry_lba() == at) ||
      array_is_at(disk, table.primary, at) || is_zero(read_bytes(disk, place)))
    return;
  warnings.push_back(
      fmt::format("nothing tells where the primary array was: it goes to LBA {}, where it usually is, over "
                  "bytes {}-{}, which may be something else",
                  at.value, place.offset, place.end() - 1));
}

/// Whichever command was cut off before this one, it may have moved the end of the disk in `mbr`, or not: a record that ends
/// where the disk does, or did by the header of then, tells.
void settle_mbr(const Source& disk, const Header& then, Lba last_lba, Structure& mbr)
{
  std::vector<std::byte> now = read_bytes(disk, mbr.range());
  if (protects_up_to(now, then.alternate_lba()))
    move_protective_record(now, then.last_usable_lba(),
                           static_cast<std::int64_t>(last_lba.value - then.alternate_lba().value));
  else if (!protects_up_to(now, last_lba))
    return;
  mbr.bytes = std::move(now);
}

/// The same header with a mark instead of its CRC.
std::vector<std::byte> unsealed(const Gpt& gpt, bool had_backup)
{
  std::vector<std::byte> bytes = gpt.backup_header.bytes;
  put_field(bytes, kHeaderCrc32Offset, unsealed_mark(Header(bytes), gpt.mbr.bytes, had_backup));
  return bytes;
}

/// The order is told in cut_off.h.
void add_all(const Wanted& wanted, Writes& writes)
{
  const Gpt& gpt = wanted.gpt;
  std::vector<const Structure*> under_seal{&gpt.backup_array, &gpt.mbr};
  for (const Structure& structure : gpt.old_backup)
    under_seal.push_back(&structure);
  if (std::ranges::any_of(under_seal, [&](const Structure* structure) { return writes.changes(*structure); }))
    writes.add(name_of(Role::backup_header), gpt.backup_header.offset, unsealed(gpt, wanted.had_backup));
  for (const Structure* structure : under_seal)
    writes.add(*structure);
  writes.add(gpt.backup_header);
  add_primary_array(gpt.primary_array, gpt.sector_size_bytes, writes);
  writes.add(gpt.primary_header);
}

}  // namespace

RepairPlan plan_in_place(const Source& disk, Reading reading, const std::vector<SlotMove>& moves)
{
  FoundTables tables = find_tables(disk, reading.sector_size_bytes);
  Writes writes(disk);
  Patched start(writes.disk());
  std::vector<std::string> warnings;
  const auto header = moves.empty() ? missing_primary_header(disk, tables) : std::nullopt;
  if (header) {
    start.put(bytes_of(kPrimaryLba, 1, tables.sector_size_bytes).offset, header->sector());
    warnings.emplace_back(kWasCutOff);
  } else if (!tables.primary.valid() || (reading.table == TableChoice::backup && !find_unsealed(disk, tables))) {
    (void)table_that_counts(disk, tables);
    check_can_be_moved(disk, tables, moves);
    const Disk served(borrowed(disk), size_of(disk), from_valid_table(disk, tables, reading));
    warnings = served.warnings();
    warn_of_guessed_place(disk, tables, served.table(), warnings);
    rebuild_primary(disk, tables, served.table(), writes);
  }
  reading.table = TableChoice::primary;
  const Header old = tables.primary.header;
  tables = find_tables(start, tables.sector_size_bytes);
  Wanted result = wanted_of(start, tables, reading, moves);
  settle_mbr(disk, header ? old : tables.primary.header, tables.last_lba, result.gpt.mbr);
  const Gpt& gpt = result.gpt;
  check_survivor(disk, tables.primary, {&gpt.backup_array, &gpt.backup_header});
  check_writes_no_data(disk, {&gpt.backup_array, &gpt.backup_header, &gpt.primary_array, &gpt.primary_header, &gpt.mbr},
                       result.entries, gpt.sector_size_bytes);
  add_all(result, writes);
  RepairPlan plan = plan_of(disk, gpt, std::move(writes));
  plan.extension = result.extension;
  plan.warnings = warnings.empty() ? std::move(result.warnings) : std::move(warnings);
  return plan;
}

}  // namespace gptgrow
