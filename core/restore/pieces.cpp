// SPDX-License-Identifier: BSD-3-Clause
#include "core/restore/pieces.h"

#include <algorithm>

namespace gptgrow {

namespace {

/// Behind the image and every partition, in front of the backup table.
ByteRange find_free_space(const Disk& disk, const Structures& structures)
{
  const std::uint64_t end = structures.backup_array.offset;
  std::uint64_t first = disk.image().size_bytes();
  for (const Entry& entry : disk.table().used_entries())
    first = std::max(first, bytes_of(entry, structures.sector_size_bytes, disk.size_bytes()).end());
  return {std::min(first, end), end - std::min(first, end)};
}

}  // namespace

Pieces::Pieces(const Disk& disk)
    : disk_(disk), structures_(structures_of(disk)), free_space_(find_free_space(disk, structures_))
{
  for (const Structure* structure : {&structures_.mbr, &structures_.primary_header, &structures_.primary_array,
                                     &structures_.backup_array, &structures_.backup_header})
    tables_.push_back(structure->range());
  std::ranges::sort(tables_);
}

Piece Pieces::at(ByteRange range) const
{
  const auto table = std::ranges::upper_bound(tables_, range.offset, {}, &ByteRange::end);
  if (table != tables_.end() && table->offset <= range.offset)
    return {clip(range, table->end()), Piece::Kind::table};
  if (table != tables_.end())
    range = clip(range, table->offset);
  if (free_space_.offset <= range.offset && range.offset < free_space_.end())
    return {clip(range, free_space_.end()), Piece::Kind::free_space};
  if (range.offset < free_space_.offset)
    range = clip(range, free_space_.offset);
  const Extent extent = disk_.extent(range);
  return {{range.offset, extent.size}, extent.hole ? Piece::Kind::hole : Piece::Kind::data};
}

}  // namespace gptgrow
