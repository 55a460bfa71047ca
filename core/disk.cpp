// SPDX-License-Identifier: BSD-3-Clause
#include "core/disk.h"

#include "core/error.h"
#include "core/size.h"

#include <cstring>

namespace gptgrow {

namespace {

std::optional<Image> open_reference(const DiskOptions& options)
{
  if (options.size.empty() == options.reference.empty())
    refuse("{} given, expected exactly one of size and reference", options.size.empty() ? "neither" : "both");
  if (options.reference.empty())
    return std::nullopt;
  Image reference(options.reference);
  if (reference.size_bytes() == 0)
    refuse("{}: 0 bytes long, expected the file or device whose size the disk gets", options.reference);
  return reference;
}

/// The sector size under which the disk will be seen: the reference device's, else the image device's; else the user's
/// word; else what nearly every disk has.
std::uint32_t context_sector_size_bytes(const DiskOptions& options, const Image& image,
                                        const std::optional<Image>& reference)
{
  if (reference && reference->device_sector_size_bytes() != 0)
    return reference->device_sector_size_bytes();
  if (image.device_sector_size_bytes() != 0)
    return image.device_sector_size_bytes();
  return options.sector_size_bytes.value_or(512);
}

Table table_of(const Image& image, const DiskOptions& options)
{
  return choose_table(image, find_tables(image, options.sector_size_bytes), options.table);
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

bool DiskOptions::set(std::string_view key, std::string_view value)
{
  const auto text = [&](std::string& target) {
    if (value.empty())
      refuse("{}: empty, expected a value", key);
    if (!target.empty())
      refuse("{}: given twice, \"{}\" and \"{}\"", key, target, value);
    if (value == "-" && key != "size")
      refuse("{}: standard input is not supported here; a file of that name is ./-", key);
    target = value;
  };
  const auto choose = [&](auto& target, std::string_view first, auto first_value, std::string_view second,
                          auto second_value) {
    if (value != first && value != second)
      refuse("{}: \"{}\", expected {} or {}", key, value, first, second);
    target = value == first ? first_value : second_value;
  };
  if (key == "file")
    text(file);
  else if (key == "size")
    text(size);
  else if (key == "reference")
    text(reference);
  else if (key == "sector-size")
    choose(sector_size_bytes, "512", 512, "4096", 4096);
  else if (key == "table")
    choose(table, "primary", TableChoice::primary, "backup", TableChoice::backup);
  else if (key == "old-backup")
    choose(policy.old_backup, "zero", OldBackup::zero, "keep", OldBackup::keep);
  else if (key == "truncated")
    choose(policy.truncated, "refuse", Truncated::refuse, "allow", Truncated::allow);
  else
    return false;
  return true;
}

Disk::Disk(const DiskOptions& options) : Disk(options, open_reference(options)) {}

Disk::Disk(const DiskOptions& options, const std::optional<Image>& reference)
    : image_(options.file),
      table_(table_of(image_, options)),
      layout_(plan_layout(image_, table_,
                          reference ? WantedSize{reference->size_bytes(), options.reference}
                                    : WantedSize{parse_size(options.size).resolve(image_.size_bytes())},
                          options.policy)),
      warnings_(table_.warnings)
{
  const std::uint64_t image_sectors = image_.size_bytes() / table_.sector_size_bytes;
  for (std::string& warning : missing_data(table_, Lba{image_sectors - 1}))
    warnings_.push_back(std::move(warning));
  if (auto warning = sector_size_warning(table_, context_sector_size_bytes(options, image_, reference)))
    warnings_.push_back(std::move(*warning));
}

void Disk::read(std::uint64_t offset, std::span<std::byte> buffer) const
{
  while (!buffer.empty()) {
    const Region& region = layout_.regions.at(offset);
    const ByteRange part = common(region, {offset, buffer.size()});
    const auto target = buffer.first(part.size);
    switch (region.source) {
    case Source::image: image_.read(source_offset(region, offset), target); break;
    case Source::own:
      std::memcpy(target.data(), layout_.own_bytes.data() + source_offset(region, offset), target.size());
      break;
    case Source::hole: std::memset(target.data(), 0, target.size()); break;
    }
    buffer = buffer.subspan(part.size);
    offset = part.end();
  }
}

Extent Disk::extent(ByteRange range) const
{
  const Region& region = layout_.regions.at(range.offset);
  const ByteRange part = common(region, range);
  if (region.source == Source::image)
    return image_.extent({source_offset(region, part.offset), part.size});
  return {part.size, region.source == Source::hole};
}

std::optional<std::uint64_t> Disk::image_offset(ByteRange range) const
{
  const Region& region = layout_.regions.at(range.offset);
  if (region.source != Source::image || common(region, range) != range)
    return std::nullopt;
  return source_offset(region, range.offset);
}

void Disk::prefetch(ByteRange range) const
{
  while (range.size != 0) {
    const Region& region = layout_.regions.at(range.offset);
    const ByteRange part = common(region, range);
    if (region.source == Source::image)
      image_.prefetch({source_offset(region, part.offset), part.size});
    range = {part.end(), range.size - part.size};
  }
}

}  // namespace gptgrow
