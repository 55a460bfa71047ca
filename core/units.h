// SPDX-License-Identifier: BSD-3-Clause
// The two kinds of place on a disk: sectors and bytes.
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>

namespace gptgrow {

/// The largest size of a disk, in bytes: file offsets are signed 64-bit numbers. An LBA of such a disk is below 2^54,
/// so that sums and differences of a few LBAs that were checked against max_lba() cannot overflow 64 bits.
inline constexpr std::uint64_t kMaxDiskSizeBytes = INT64_MAX;

/// A logical block address: counts logical sectors from 0.
struct Lba {
  std::uint64_t value = 0;
  auto operator<=>(const Lba&) const = default;
};

/// The last LBA that a disk of kMaxDiskSizeBytes can have.
constexpr Lba max_lba(std::uint32_t sector_size_bytes)
{
  return Lba{kMaxDiskSizeBytes / sector_size_bytes - 1};
}

/// Bytes [offset, offset + size).
struct ByteRange {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;

  constexpr std::uint64_t end() const { return offset + size; }
  auto operator<=>(const ByteRange&) const = default;
};

/// The bytes of `count` sectors from `first` on. Precondition: both were checked against max_lba().
constexpr ByteRange bytes_of(Lba first, std::uint64_t count, std::uint32_t sector_size_bytes)
{
  return {first.value * sector_size_bytes, count * sector_size_bytes};
}

/// Whether they have a byte in common.
constexpr bool overlap(ByteRange a, ByteRange b)
{
  return a.offset < b.end() && b.offset < a.end();
}

/// The part of `range` whose ends are multiples of `alignment`; empty, inside `range`, when there is none.
constexpr ByteRange aligned_part(ByteRange range, std::uint64_t alignment)
{
  const std::uint64_t first = std::min((range.offset + alignment - 1) / alignment * alignment, range.end());
  return {first, std::max(range.end() / alignment * alignment, first) - first};
}

/// The part of `range` that lies before `end`; empty, at `end`, when there is none.
constexpr ByteRange clip(ByteRange range, std::uint64_t end)
{
  const std::uint64_t offset = std::min(range.offset, end);
  return {offset, std::min(range.end(), end) - offset};
}

}  // namespace gptgrow
