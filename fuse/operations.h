// SPDX-License-Identifier: BSD-3-Clause
// What libfuse calls: requests in, core calls, bytes out.
#pragma once

#include "core/disk.h"
#include "fuse/tree.h"

#include <atomic>

#include <fuse_lowlevel.h>
#include <sys/stat.h>

namespace gptgrow {

/// The largest read that is asked of a file system, in bytes: for the mount option max_read too. A splice of this size
/// fits into the pipes that an ordinary user may have, with one of 1 MiB libfuse falls back to copying.
inline constexpr unsigned kMaxReadBytes = 256 * 1024;

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

/// For fuse_session_new(), with a FileSystem as user data.
extern const fuse_lowlevel_ops kOperations;

}  // namespace gptgrow
