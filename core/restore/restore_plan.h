// SPDX-License-Identifier: BSD-3-Clause
// What a restore will write besides the image's bytes, and where: a value, made before anything is written.
#pragma once

#include "core/disk/disk.h"
#include "core/restore/free_space.h"
#include "core/target/contents.h"

namespace gptgrow {

/// What is known of the target. Nothing, of a file that is still to be made.
struct TargetBefore {
  bool exists = false;
  std::optional<ByteRange> backup_header;  // of the table that is there
  std::vector<Signature> signatures;
};

struct RestorePlan {
  Gpt gpt;  // what will be on the target

  /// Where a table may be, of sectors of either size. They become zeros, in this order. The last one begins at byte 0; it is
  /// written with the mark of an unfinished restore in it, where the primary header will be.
  std::vector<ByteRange> wiped;

  /// Of what was there before, in the free space: they become zeros too.
  std::vector<Signature> stale_signatures;

  /// All that needs space in a file: data, the table, and the ends of holes that are no whole blocks of its file system.
  std::vector<ByteRange> needs_space;

  /// What Filling leaves alone: the table comes later, a new file has all holes already, free space may be kept.
  std::vector<ByteRange> not_filled;

  /// The structures of the table, in the order in which they are written; each step is durable before the next begins.
  std::vector<std::vector<const Structure*>> table_steps() const;
};

RestorePlan plan_restore(const Disk& disk, const TargetBefore& before, FreeSpace free_space);

}  // namespace gptgrow
