// SPDX-License-Identifier: BSD-3-Clause
#include "core/repair/checks.h"

#include "core/error.h"
#include "core/gpt/header.h"
#include "core/gpt/which_backup.h"
#include "core/repair/same_partitions.h"

#include <fmt/format.h>

namespace gptgrow {

const FoundTable& table_that_counts(const Source& disk, const FoundTables& tables)
{
  if (tables.primary.valid())
    return tables.primary;
  if (tables.backup && tables.backup->valid() && !tables.rival)
    return *tables.backup;
  (void)choose_table(disk, tables, TableChoice::primary);  // throws: it says what is wrong
  refuse("{}: no valid GPT", disk.name());
}

void check_own_backup(const Source& disk, const FoundTables& tables)
{
  const FoundTable &primary = tables.primary, &backup = *tables.backup;
  if (!may_belong(disk, primary, backup.header))
    refuse_with({"table", "backup", "would take it"},
                "{}: the primary table is damaged, and the only valid one seems to be of another disk: {}; expected "
                "DiskGUID {}; nothing is written",
                disk.name(), describe_contents(backup), guid_text(primary.header.disk_guid()));
  if (is_legible(primary.header))
    return;
  for (const FoundTable& stray : tables.strays) {
    if (stray.header.sector_size_bytes() != tables.sector_size_bytes)
      continue;
    const Lba usual{kPrimaryLba.value + 1};
    const std::string both = message("{}: two valid backup tables differ, and nothing tells which one is this disk's: "
                                     "{}; {}",
                                     disk.name(), describe_contents(backup), describe_contents(stray));
    if (array_is_at(disk, stray.header, usual) && !array_is_at(disk, backup.header, usual))
      refuse("{}; but the array at LBA {} is that of the second; nothing is written", both, usual.value);
    refuse_with({"table", "backup", "would take the first"}, "{}; nothing is written", both);
  }
}

void check_nothing_lost(const Source& disk, const FoundTables& tables, const std::vector<Entry>& kept,
                        const std::vector<std::uint32_t>& replaced_slots)
{
  if (tables.primary.valid())
    return;
  std::vector<Entry> lost = lost_with(disk, tables, kept);
  std::erase_if(lost, [&](const Entry& entry) { return contains(replaced_slots, entry.slot); });
  if (lost.empty())
    return;
  const Entry& entry = lost.front();
  refuse("{}: the damaged primary table still shows a partition that would be lost: slot {}, LBA {}-{}, GUID {}{}; "
         "nothing is written",
         disk.name(), entry.slot, entry.first_lba.value, entry.last_lba.value, guid_text(entry.partition_guid),
         lost.size() == 1 ? "" : fmt::format(", and {} more", lost.size() - 1));
}

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

void check_whole_sectors(const Source& disk, std::uint32_t sector_size_bytes)
{
  if (disk.device_sector_size_bytes() != 0 && disk.device_sector_size_bytes() != sector_size_bytes)
    refuse("{}: sectors of {} bytes, expected {} as in the table: its partitions would not be seen", disk.name(),
           disk.device_sector_size_bytes(), sector_size_bytes);
}

}  // namespace gptgrow
