// SPDX-License-Identifier: BSD-3-Clause
// What is mounted: a disk as a tree of files, with their attributes.
#pragma once

#include "core/disk/disk.h"
#include "fuse/tree.h"

#include <atomic>

#include <sys/stat.h>

namespace gptgrow {

inline constexpr std::uint32_t kPageSizeBytes = 4096;

/// Type and permissions: all can be read, and nothing written.
mode_t mode_of(const Content& content);

/// A mounted disk. Const members may be called from several threads at once.
class FileSystem {
public:
  /// Takes times from the image, and as owner the user who runs this. `disk` must outlive it. std::system_error.
  FileSystem(const Disk& disk, Tree tree);

  const Disk& disk() const { return disk_; }
  const Tree& tree() const { return tree_; }

  /// std::system_error where the image can no longer tell its holes.
  struct stat attributes(Inode inode) const;

private:
  const Disk& disk_;
  Tree tree_;
  struct stat common_ {};
  // By inode; a file's holes are looked for once, and only when somebody asks.
  mutable std::vector<std::atomic<std::int64_t>> block_counts_;
};

}  // namespace gptgrow
