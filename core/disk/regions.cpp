// SPDX-License-Identifier: BSD-3-Clause
#include "core/disk/regions.h"

#include <utility>

namespace gptgrow {

void Regions::overlay(const Region& region)
{
  if (region.range.size == 0)
    return;
  std::vector<Region> result;
  const auto keep = [&](const Region& old, std::uint64_t first, std::uint64_t end) {
    if (first >= end)
      return;
    const std::uint64_t skipped = old.origin == Origin::hole ? 0 : first - old.range.offset;
    result.push_back({{first, end - first}, old.origin, old.source_offset + skipped, old.role});
  };
  bool laid = false;
  for (const Region& old : regions_) {
    keep(old, old.range.offset, std::min(old.range.end(), region.range.offset));
    if (!laid && region.range.offset < old.range.end()) {
      result.push_back(region);
      laid = true;
    }
    keep(old, std::max(old.range.offset, region.range.end()), old.range.end());
  }
  regions_ = std::move(result);
}

const Region& Regions::at(std::uint64_t offset) const
{
  return *std::upper_bound(regions_.begin(), regions_.end(), offset,
                           [](std::uint64_t place, const Region& region) { return place < region.range.end(); });
}

}  // namespace gptgrow
