// SPDX-License-Identifier: BSD-3-Clause
#include "core/repair/overwritten.h"

#include "core/gpt/gpt.h"

#include <fmt/format.h>

#include <cstring>
#include <set>

namespace gptgrow {

namespace {

constexpr std::uint64_t kUnitBytes = 512;
constexpr std::uint64_t kUsualArraySizeBytes = 16384;
constexpr std::string_view kAppleSignature{"PM\0\0", 4};

/// The units of `range` that lie wholly on a disk of `size_bytes`.
void add_units(std::set<std::uint64_t>& units, ByteRange range, std::uint64_t size_bytes)
{
  for (std::uint64_t at = range.offset / kUnitBytes * kUnitBytes; at < range.end() && at + kUnitBytes <= size_bytes;
       at += kUnitBytes)
    units.insert(at);
}

void add_table(std::set<std::uint64_t>& units, const FoundTable& table, std::uint64_t size_bytes)
{
  const Header& header = table.header;
  const std::uint32_t sector_size_bytes = header.sector_size_bytes();
  if (!header.has_signature())
    return;
  add_units(units, bytes_of(table.at, 1, sector_size_bytes), size_bytes);
  // A damaged header can name any place and any length.
  if (header.partition_entry_lba() <= max_lba(sector_size_bytes) && header.array_size_bytes() <= kMaxArraySizeBytes)
    add_units(units, bytes_of(header.partition_entry_lba(), header.array_sectors(), sector_size_bytes), size_bytes);
}

std::set<std::uint64_t> places_of_tables(const Source& disk, const FoundTables& tables)
{
  const std::uint64_t size_bytes = disk.size_bytes(), sector_size_bytes = tables.sector_size_bytes;
  std::set<std::uint64_t> units;
  add_units(units, {0, 2 * sector_size_bytes + kUsualArraySizeBytes}, size_bytes);
  const std::uint64_t tail = std::min(size_bytes, kUsualArraySizeBytes + sector_size_bytes);
  add_units(units, {size_bytes - tail, tail}, size_bytes);
  add_table(units, tables.primary, size_bytes);
  if (tables.backup)
    add_table(units, *tables.backup, size_bytes);
  return units;
}

/// Whether `served` has the image's own bytes there, in their own place, and they are no part of a table.
bool is_data(const Disk& served, ByteRange unit)
{
  const Region& region = served.layout().regions.at(unit.offset);
  return region.role == Role::content && region.origin == Origin::image &&
         region.source_offset == region.range.offset && unit.end() <= region.range.end();
}

std::uint32_t slot_at(const std::vector<Entry>& entries, ByteRange unit, std::uint32_t sector_size_bytes,
                      std::uint64_t size_bytes)
{
  for (const Entry& entry : entries) {
    const ByteRange partition = bytes_of(entry, sector_size_bytes, size_bytes);
    if (partition.offset < unit.end() && unit.offset < partition.end())
      return entry.slot;
  }
  return 0;
}

bool is_in_file(const Source& image, ByteRange unit)
{
  const auto file = image.file_range(unit);
  return file && file->offset == unit.offset;
}

std::string place_name(std::uint32_t slot, std::span<const std::byte> image)
{
  if (slot != 0)
    return fmt::format("slot {}", slot);
  return std::memcmp(image.data(), kAppleSignature.data(), kAppleSignature.size()) == 0 ? "an Apple partition map"
                                                                                        : "data in no partition";
}

}  // namespace

std::vector<Overwritten> overwritten(const Source& disk, const FoundTables& tables, const Disk& served)
{
  const std::uint32_t sector_size_bytes = served.table().sector_size_bytes;
  const std::vector<Entry> entries = served.table().used_entries();
  std::vector<Overwritten> result;
  for (const std::uint64_t at : places_of_tables(disk, tables)) {
    const ByteRange unit{at, kUnitBytes};
    if (!is_data(served, unit))
      continue;
    const std::vector<std::byte> wanted = read_bytes(served.image(), unit), found = read_bytes(disk, unit);
    const std::uint32_t slot = slot_at(entries, unit, sector_size_bytes, disk.size_bytes());
    if (wanted == found || (slot == 0 && is_zero(wanted)))
      continue;
    std::string where = place_name(slot, wanted);
    if (!result.empty() && result.back().range.end() == at && result.back().where == where)
      result.back().range.size += unit.size;
    else
      result.push_back({unit, slot, std::move(where), is_in_file(served.image(), unit)});
  }
  return result;
}

}  // namespace gptgrow
