// SPDX-License-Identifier: BSD-3-Clause
// The map of a disk: what lies where, and where its bytes come from. Ordered by address, contiguous, never overlapping,
// gapless.
#pragma once

#include "core/gpt/role.h"
#include "core/units.h"

#include <vector>

namespace gptgrow {

/// Where the bytes of a region come from.
enum class Origin {
  image,  // the image file, from `source_offset` on
  own,    // Layout::own_bytes, from `source_offset` on
  hole,   // zeros that take no space
};

struct Region {
  ByteRange range;  // on the disk; never empty
  Origin origin = Origin::hole;
  std::uint64_t source_offset = 0;
  Role role = Role::content;

  bool operator==(const Region&) const = default;
};

/// Const members may be called from several threads at once.
class Regions {
public:
  /// One hole of `size_bytes`. Precondition: not 0.
  explicit Regions(std::uint64_t size_bytes) : regions_{{{0, size_bytes}, Origin::hole, 0}} {}

  /// Lays `region` over what was there. An empty one changes nothing. Precondition: it ends at or before size_bytes().
  void overlay(const Region& region);

  std::uint64_t size_bytes() const { return regions_.back().range.end(); }

  /// The region that holds the byte at `offset`. Precondition: offset < size_bytes().
  const Region& at(std::uint64_t offset) const;

  auto begin() const { return regions_.begin(); }
  auto end() const { return regions_.end(); }

private:
  std::vector<Region> regions_;
};

}  // namespace gptgrow
