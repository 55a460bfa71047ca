// SPDX-License-Identifier: BSD-3-Clause
#include "core/disk/disk_options.h"

#include "core/disk/size.h"
#include "core/error.h"
#include "core/source/file_source.h"
#include "core/source/open_source.h"

namespace gptgrow {

namespace {

constexpr std::string_view kSmallest = "min";

/// One partition ends at the end of the disk: a second slot would not be served.
void set_extend(Reading& reading, std::string_view value)
{
  const SlotToExtend slot = parse_slot_to_extend(value);
  if (reading.extend)
    refuse("extend: given twice, expected one slot");
  reading.extend = slot;
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
  else if (key == "extend")
    set_extend(reading, value);
  else if (key == "format")
    reading.format = parse_format(value);
  else if (key == "sector-size")
    choose(reading.sector_size_bytes, "512", 512, "4096", 4096);
  else if (key == "table")
    choose(reading.table, "primary", TableChoice::primary, "backup", TableChoice::backup);
  else if (key == "old-backup")
    choose(reading.policy.old_backup, "zero", OldBackup::zero, "keep", OldBackup::keep);
  else if (key == "truncated")
    choose(reading.policy.truncated, "refuse", Truncated::refuse, "allow", Truncated::allow);
  else
    return false;
  return true;
}

WantedSize wanted_size(const DiskOptions& options, const Source& image)
{
  if (options.size.empty() == options.reference.empty())
    refuse("{} given, expected exactly one of size and reference", options.size.empty() ? "neither" : "both");
  if (options.size == kSmallest)
    return smallest_size(image, *read_table_of(image, options.reading));
  if (options.reference.empty())
    return {parse_size(options.size).resolve(image.size_bytes())};
  return size_of(FileSource(options.reference));
}

Disk open_disk(const DiskOptions& options)
{
  const auto image = open_source(options.file, options.reading.format);
  return Disk(image, wanted_size(options, *image), options.reading);
}

}  // namespace gptgrow
