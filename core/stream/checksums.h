// SPDX-License-Identifier: BSD-3-Clause
// What was read once, and can be compared all the same.
#pragma once

#include "core/units.h"

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace gptgrow {

/// XXH3, 64 bits, of chunks that were read in order of place.
class Checksums {
public:
  void add(ByteRange range, std::span<const std::byte> bytes) { sums_.push_back({range.offset, checksum(bytes)}); }

  /// Whether `bytes` are those that were added for a chunk that begins at `offset`; none: there was no such chunk.
  std::optional<bool> are_same(std::uint64_t offset, std::span<const std::byte> bytes) const;

  /// The same, in any order; in the place of what was added for the same offset.
  void put(ByteRange range, std::span<const std::byte> bytes);

  /// Where the last chunk begins that begins at or before `offset`; none: there is none.
  std::optional<std::uint64_t> last_before(std::uint64_t offset) const;

  bool has(std::uint64_t offset) const { return find(offset) != nullptr; }

private:
  struct Sum {
    std::uint64_t offset;
    std::uint64_t value;
  };

  const Sum* find(std::uint64_t offset) const;
  static std::uint64_t checksum(std::span<const std::byte> bytes);

  std::vector<Sum> sums_;  // by offset
};

}  // namespace gptgrow
