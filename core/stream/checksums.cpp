// SPDX-License-Identifier: BSD-3-Clause
#include "core/stream/checksums.h"

#include <xxhash.h>

#include <algorithm>

namespace gptgrow {

std::uint64_t checksum(std::span<const std::byte> bytes)
{
  return ::XXH3_64bits_withSeed(bytes.data(), bytes.size(), bytes.size());
}

const Checksums::Sum* Checksums::find(std::uint64_t offset) const
{
  const auto found = std::ranges::lower_bound(sums_, offset, {}, &Sum::offset);
  return found == sums_.end() || found->offset != offset ? nullptr : &*found;
}

void Checksums::put(std::uint64_t offset, std::uint64_t checksum)
{
  const auto at = std::ranges::lower_bound(sums_, offset, {}, &Sum::offset);
  if (at != sums_.end() && at->offset == offset)
    at->value = checksum;
  else
    sums_.insert(at, {offset, checksum});
}

std::optional<std::uint64_t> Checksums::last_before(std::uint64_t offset) const
{
  const auto behind = std::ranges::upper_bound(sums_, offset, {}, &Sum::offset);
  return behind == sums_.begin() ? std::nullopt : std::optional((behind - 1)->offset);
}

std::optional<bool> Checksums::are_same(std::uint64_t offset, std::span<const std::byte> bytes) const
{
  const Sum* const found = find(offset);
  return found ? std::optional(found->value == checksum(bytes)) : std::nullopt;
}

}  // namespace gptgrow
