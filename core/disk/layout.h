// SPDX-License-Identifier: BSD-3-Clause
// The planner: which byte of the served disk comes from where. The tail of the disk (LastUsableLBA, the backup array,
// the backup header) moves rigidly with the end of the disk; every other byte is the image's own, or zero.
#pragma once

#include "core/disk/regions.h"
#include "core/gpt/table.h"

namespace gptgrow {

enum class OldBackup { zero, keep };
enum class Truncated { refuse, allow };

struct Policy {
  OldBackup old_backup = OldBackup::zero;
  Truncated truncated = Truncated::refuse;
};

struct Layout {
  Header primary;  // as served
  Header backup;
  std::vector<std::byte> own_bytes;
  ByteRange free_space;  // behind the image and all of its partitions, in front of the backup table; may be empty
  Regions regions;

  /// Serves `bytes` at `offset`. Precondition: they end at or before the end of the disk.
  void put_own(Role role, std::uint64_t offset, std::span<const std::byte> bytes);
};

/// A size, and whose it is.
struct WantedSize {
  std::uint64_t bytes = 0;
  std::string of = {};                  // the path of the file or device that has it, for messages; empty: nobody's
  std::uint32_t sector_size_bytes = 0;  // of that device; 0: it is none
};

/// Throws Error when it is 0 bytes long.
WantedSize size_of(const Source& reference);

/// The smallest size of which plan_layout() can make a disk. Throws Error when there is none.
WantedSize smallest_size(const Source& image, const Table& table);

/// Plans a disk of `size` from `image` and its `table`. Throws Error when the size is no multiple of the sector
/// size, too small or too large, or when the image lacks bytes of a partition.
Layout plan_layout(const Source& image, const Table& table, const WantedSize& size, const Policy& policy);

}  // namespace gptgrow
