// SPDX-License-Identifier: BSD-3-Clause
#include "core/repair/cut_off.h"

#include "core/gpt/mbr.h"
#include "core/gpt/which_backup.h"

namespace gptgrow {

namespace {

constexpr std::uint32_t kMinHeaderSizeBytes = 92;

/// The sectors by which the end of the disk moves.
std::int64_t moves_by(const FoundTables& tables)
{
  return static_cast<std::int64_t>(tables.last_lba.value) -
         static_cast<std::int64_t>(tables.primary.header.alternate_lba().value);
}

bool is_backup_of(const Header& header, const Header& primary)
{
  return header.alternate_lba() == kPrimaryLba && header.revision() == primary.revision() &&
         header.disk_guid() == primary.disk_guid() && header.first_usable_lba() == primary.first_usable_lba() &&
         header.entry_count() == primary.entry_count() && header.entry_size_bytes() == primary.entry_size_bytes();
}

}  // namespace

std::uint32_t unsealed_mark(const Header& sealed, std::span<const std::byte> mbr, bool had_backup)
{
  std::vector<std::byte> bytes(sealed.sector().begin(), sealed.sector().end());
  bytes.insert(bytes.end(), mbr.begin(), mbr.end());
  bytes.push_back(std::byte{had_backup});
  const std::uint32_t mark = crc32(bytes);
  return mark == sealed.header_crc32() ? ~mark : mark;
}

std::optional<NewBackup> find_new_backup(const Source& disk, const FoundTables& tables)
{
  if (tables.last_lba <= kPrimaryLba)
    return std::nullopt;
  Header header(read_bytes(disk, bytes_of(tables.last_lba, 1, tables.sector_size_bytes)));
  if (!header.has_signature() || header.header_size_bytes() < kMinHeaderSizeBytes ||
      header.header_size_bytes() > header.sector_size_bytes())
    return std::nullopt;
  const std::uint32_t mark = header.header_crc32();
  header.seal();
  if (!problems(header, tables.last_lba).empty() || !is_backup_of(header, tables.primary.header))
    return std::nullopt;
  const bool is_sealed = mark == header.header_crc32();
  return NewBackup{std::move(header), is_sealed, mark};
}

std::optional<Unsealed> find_unsealed(const Source& disk, const FoundTables& tables)
{
  std::optional<NewBackup> backup = find_new_backup(disk, tables);
  if (!backup || backup->is_sealed)
    return std::nullopt;
  const std::vector<std::byte> now = read_bytes(disk, {0, tables.sector_size_bytes});
  std::vector<std::byte> moved = now;
  move_protective_record(moved, tables.primary.header.last_usable_lba(), moves_by(tables));
  for (const auto& mbr : {moved, now})
    for (const bool had_backup : {true, false})
      if (unsealed_mark(backup->header, mbr, had_backup) == backup->mark)
        return Unsealed{std::move(backup->header), had_backup, mbr};
  return std::nullopt;
}

bool put_moved_back(Patched& disk, const FoundTables& tables, const Header& moved)
{
  const Header& primary = tables.primary.header;
  const std::uint32_t sector_size_bytes = tables.sector_size_bytes;
  const std::int64_t array = static_cast<std::int64_t>(moved.partition_entry_lba().value) - moves_by(tables);
  const Lba at = primary.alternate_lba();
  if (at > tables.last_lba || array <= static_cast<std::int64_t>(kPrimaryLba.value) ||
      array + static_cast<std::int64_t>(primary.array_sectors()) > static_cast<std::int64_t>(at.value))
    return false;
  const Lba array_lba{static_cast<std::uint64_t>(array)};
  Header header = moved;
  header.set_my_lba(at);
  header.set_last_usable_lba(primary.last_usable_lba());
  header.set_partition_entry_lba(array_lba);
  header.set_array_crc32(primary.array_crc32());
  header.seal();
  disk.put(bytes_of(array_lba, 1, sector_size_bytes).offset, tables.primary.array);
  disk.put(bytes_of(at, 1, sector_size_bytes).offset, header.sector());
  return true;
}

std::optional<Header> missing_primary_header(const Source& disk, const FoundTables& tables)
{
  const FoundTable& primary = tables.primary;
  if (primary.valid() || !has_right_crc(primary.header) || !problems(primary.header, kPrimaryLba).empty())
    return std::nullopt;
  const std::optional<NewBackup> backup = find_new_backup(disk, tables);
  if (!backup || !backup->is_sealed)
    return std::nullopt;
  const FoundTable table = read_table(disk, tables.sector_size_bytes, tables.last_lba);
  if (!table.valid() || table.array != primary.array)
    return std::nullopt;
  Header header = primary.header;
  header.set_alternate_lba(tables.last_lba);
  header.set_last_usable_lba(backup->header.last_usable_lba());
  header.set_array_crc32(backup->header.array_crc32());
  header.seal();
  return header;
}

}  // namespace gptgrow
