// SPDX-License-Identifier: BSD-3-Clause
// What was read once, and can be compared all the same.
#pragma once

#include "core/units.h"

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace gptgrow {

/// XXH3, 64 bits.
std::uint64_t checksum(std::span<const std::byte> bytes);

/// Of chunks, by where each begins.
class Checksums {
public:
  /// Whether `bytes` are those that a checksum was put of, for a chunk that begins at `offset`; none: there was no such chunk.
  std::optional<bool> are_same(std::uint64_t offset, std::span<const std::byte> bytes) const;

  /// Replaces what was put for the same offset. Fast in nearly ascending order.
  void put(std::uint64_t offset, std::uint64_t checksum);

  /// Where the last chunk begins that begins at or before `offset`; none: there is none.
  std::optional<std::uint64_t> last_before(std::uint64_t offset) const;

  bool has(std::uint64_t offset) const { return find(offset) != nullptr; }

private:
  struct Sum {
    std::uint64_t offset;
    std::uint64_t value;
  };

  const Sum* find(std::uint64_t offset) const;

  std::vector<Sum> sums_;  // by offset
};

}  // namespace gptgrow
