// SPDX-License-Identifier: BSD-3-Clause
// The map of a disk: what lies where, and where its bytes come from. Ordered by address, contiguous, never overlapping,
// gapless.
#pragma once

#include "core/units.h"

#include <vector>

namespace gptgrow {

/// Where the bytes of a region come from.
enum class Origin {
  image,  // the image file, from `source_offset` on
  own,    // Layout::own_bytes, from `source_offset` on
  hole,   // zeros that take no space
};

/// What a region is for. The order of the structures is that of their usual places on a disk.
enum class Role {
  mbr,
  primary_header,
  primary_array,
  backup_array,
  backup_header,
  old_backup_array,   // zeros where a backup was left behind
  old_backup_header,  // the same
  content,            // what the image has there, or zeros that belong to a partition
  free_space,         // zeros behind the image and all partitions
};

/// Whether it is a part of the partition table.
constexpr bool is_table(Role role)
{
  return role <= Role::backup_header;
}

constexpr bool is_old_backup(Role role)
{
  return role == Role::old_backup_array || role == Role::old_backup_header;
}

/// "primary header"
const char* name_of(Role role);

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
