// SPDX-License-Identifier: BSD-3-Clause
#include "disks.h"

#include "core/error.h"
#include "core/source/open_source.h"

#include <charconv>

namespace gptgrow {

namespace {

constexpr std::string_view kByName = "export";

constexpr std::uint64_t kLargestSectorBytes = 4096;

/// As much of a name as a message shows: the digits of 2⁶³-1.
constexpr std::size_t kShown = 19;

std::uint64_t size_named(std::string_view name)
{
  std::uint64_t size_bytes = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), size_bytes);
  if (name.starts_with('0') || error != std::errc() || end != name.data() + name.size())
    refuse("export name \"{}\": expected the size of the disk in bytes, in decimal digits, as blockdev --getsize64 "
           "says it",
           std::string(name.substr(0, kShown)) + (name.size() > kShown ? "..." : ""));
  return size_bytes;
}

}  // namespace

Disks::Disks(const DiskOptions& options)
    : image_(open_source(options.file, options.reading.format)),
      reading_(options.reading),
      fixed_(options.size != kByName)
{
  if (!fixed_ && !options.reference.empty())
    refuse("size=export and reference given, expected one of them");
  table_ = read_table_of(*image_, reading_);
  const auto planned = [&](const WantedSize& size) {
    return std::make_shared<const Disk>(image_, table_, size, reading_);
  };
  if (fixed_) {
    example_ = planned(wanted_size(options, *image_));
    return;
  }
  try {
    example_ = planned({image_->size_bytes()});
    return;
  } catch (const Error&) {
    if (!reading_.extend) {
      example_ = planned(smallest_size(*image_, *table_));
      return;
    }
  }
  // A partition may fill the image, and then has room only on a larger disk.
  example_ = planned({image_->size_bytes() / kLargestSectorBytes * kLargestSectorBytes * 2});
}

std::shared_ptr<const Disk> Disks::open(std::string_view name)
{
  if (fixed_)
    return example_;
  const std::uint64_t size_bytes = size_named(name);
  const std::lock_guard lock(mutex_);
  std::erase_if(by_size_bytes_, [](const auto& item) { return item.second.expired(); });
  if (const auto known = by_size_bytes_.find(size_bytes); known != by_size_bytes_.end())
    if (auto disk = known->second.lock())
      return disk;
  // Not make_shared: what is gone shall not stay allocated for the sake of its weak pointer.
  std::shared_ptr<const Disk> disk(new Disk(image_, table_, {size_bytes}, reading_));
  by_size_bytes_[size_bytes] = disk;
  return disk;
}

}  // namespace gptgrow
