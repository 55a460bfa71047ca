// SPDX-License-Identifier: BSD-3-Clause
#include "core/disk/disk.h"

#include <cstring>

namespace gptgrow {

namespace {

/// The sector size under which the disk will be seen: that of the device it is made for, else the image device's; else the
/// user's word; else what nearly every disk has.
std::uint32_t context_sector_size_bytes(const Source& image, const WantedSize& size, const Reading& reading)
{
  if (size.sector_size_bytes != 0)
    return size.sector_size_bytes;
  if (image.device_sector_size_bytes() != 0)
    return image.device_sector_size_bytes();
  return reading.sector_size_bytes.value_or(512);
}

/// The part of `region` that lies in `range`, which starts in it.
ByteRange common(const Region& region, ByteRange range)
{
  return clip(range, region.range.end());
}

std::uint64_t source_offset(const Region& region, std::uint64_t offset)
{
  return region.source_offset + (offset - region.range.offset);
}

}  // namespace

std::shared_ptr<const Table> read_table_of(const Source& image, const Reading& reading)
{
  return std::make_shared<const Table>(
      choose_table(image, find_tables(image, reading.sector_size_bytes), reading.table));
}

Disk::Disk(std::shared_ptr<const Source> image, const WantedSize& size, const Reading& reading)
    : Disk(image, read_table_of(*image, reading), size, reading)
{
}

Disk::Disk(std::shared_ptr<const Source> image, std::shared_ptr<const Table> table, const WantedSize& size,
           const Reading& reading)
    : image_(std::move(image)),
      table_(std::move(table)),
      layout_(plan_layout(*image_, *table_, size, reading.policy)),
      context_sector_size_bytes_(context_sector_size_bytes(*image_, size, reading))
{
  if (reading.extend)
    extend(*reading.extend);
}

std::vector<std::string> Disk::warnings() const
{
  std::vector<std::string> warnings = table_->warnings;
  const std::uint64_t image_sectors = image_->size_bytes() / table_->sector_size_bytes;
  for (std::string& warning : missing_data(*table_, Lba{image_sectors - 1}))
    warnings.push_back(std::move(warning));
  if (auto warning = sector_size_warning(*table_, context_sector_size_bytes_))
    warnings.push_back(std::move(*warning));
  return warnings;
}

std::span<const std::byte> Disk::array() const
{
  return extension_ ? std::span<const std::byte>(extended_array_) : table_->array;
}

std::vector<Entry> Disk::used_entries() const
{
  return gptgrow::used_entries(array(), layout_.primary.entry_size_bytes());
}

/// Of the arrays, only the sectors that change become bytes of our own.
void Disk::extend(SlotToExtend which)
{
  const Gpt before = gpt_of(*this);
  Gpt after = before;
  extension_ = gptgrow::extend(after, which, name());
  const auto old = before.all(), all = after.all();
  for (std::size_t i = 0; i < all.size(); ++i)
    for (std::size_t at = 0; at < all[i]->bytes.size(); at += after.sector_size_bytes) {
      const auto sector = std::span(all[i]->bytes).subspan(at, after.sector_size_bytes);
      if (!std::ranges::equal(sector, std::span(old[i]->bytes).subspan(at, after.sector_size_bytes)))
        layout_.put_own(all[i]->role, all[i]->offset + at, sector);
    }
  layout_.primary = Header(after.primary_header.bytes);
  layout_.backup = Header(after.backup_header.bytes);
  extended_array_.assign(after.array().begin(), after.array().end());
}

void Disk::read(std::uint64_t offset, std::span<std::byte> buffer) const
{
  while (!buffer.empty()) {
    const Region& region = layout_.regions.at(offset);
    const ByteRange part = common(region, {offset, buffer.size()});
    const auto target = buffer.first(part.size);
    switch (region.origin) {
    case Origin::image: image_->read(source_offset(region, offset), target); break;
    case Origin::own:
      std::memcpy(target.data(), layout_.own_bytes.data() + source_offset(region, offset), target.size());
      break;
    case Origin::hole: std::memset(target.data(), 0, target.size()); break;
    }
    buffer = buffer.subspan(part.size);
    offset = part.end();
  }
}

Extent Disk::extent(ByteRange range) const
{
  const Region& region = layout_.regions.at(range.offset);
  const ByteRange part = common(region, range);
  if (region.origin == Origin::image)
    return image_->extent({source_offset(region, part.offset), part.size});
  return {part.size, region.origin == Origin::hole};
}

Piece Disk::piece(ByteRange range) const
{
  const Role role = layout_.regions.at(range.offset).role;
  const Extent run = extent(range);
  return {{range.offset, run.size}, role, run.hole};
}

std::optional<FileRange> Disk::file_range(ByteRange range) const
{
  const Region& region = layout_.regions.at(range.offset);
  if (region.origin != Origin::image || common(region, range) != range)
    return std::nullopt;
  return image_->file_range({source_offset(region, range.offset), range.size});
}

void Disk::prefetch(ByteRange range) const
{
  while (range.size != 0) {
    const Region& region = layout_.regions.at(range.offset);
    const ByteRange part = common(region, range);
    if (region.origin == Origin::image)
      image_->prefetch({source_offset(region, part.offset), part.size});
    range = {part.end(), range.size - part.size};
  }
}

std::array<TablePlace, 5> table_places(const Disk& disk)
{
  const Header &primary = disk.layout().primary, &backup = disk.layout().backup;
  const std::uint64_t array_sectors = primary.array_sectors();
  const auto place = [&](Role role, Lba at, std::uint64_t sectors) {
    return TablePlace{role, bytes_of(at, sectors, disk.table().sector_size_bytes)};
  };
  return {place(Role::mbr, Lba{0}, 1), place(Role::primary_header, kPrimaryLba, 1),
          place(Role::primary_array, primary.partition_entry_lba(), array_sectors),
          place(Role::backup_array, backup.partition_entry_lba(), array_sectors),
          place(Role::backup_header, backup.my_lba(), 1)};
}

Structure read_structure(const Disk& disk, const TablePlace& place)
{
  return {place.role, place.range.offset, read_bytes(disk, place.range)};
}

Gpt gpt_of(const Disk& disk)
{
  const Header& primary = disk.layout().primary;
  const auto [mbr, primary_header, primary_array, backup_array, backup_header] = table_places(disk);
  Gpt result{.sector_size_bytes = disk.table().sector_size_bytes,
             .disk_size_bytes = disk.size_bytes(),
             .entry_size_bytes = primary.entry_size_bytes(),
             .array_size_bytes = primary.array_size_bytes(),
             .mbr = read_structure(disk, mbr),
             .primary_header = read_structure(disk, primary_header),
             .primary_array = read_structure(disk, primary_array),
             .backup_array = read_structure(disk, backup_array),
             .backup_header = read_structure(disk, backup_header),
             .old_backup = {}};
  for (const Region& region : disk.layout().regions)
    if (is_old_backup(region.role))
      result.old_backup.push_back({region.role, region.range.offset, std::vector<std::byte>(region.range.size)});
  return result;
}

}  // namespace gptgrow
