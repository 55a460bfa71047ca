// SPDX-License-Identifier: BSD-3-Clause
// What a restore will write besides the image's bytes, and where: a value, made before anything is written.
#pragma once

#include "core/disk/disk.h"
#include "core/restore/free_space.h"
#include "core/target/contents.h"

#include <optional>

namespace gptgrow {

/// What is known of the target. Nothing, of a file that is still to be made.
struct TargetBefore {
  bool exists = false;
  std::vector<ByteRange> headers;  // of all tables that are there, right or wrong
  std::vector<Signature> signatures;
};

struct RestorePlan {
  Gpt gpt;  // what will be on the target

  /// What becomes zeros first, each step durable before the next begins: the headers that are there, wherever that is, for
  /// what the places that follow hold may be their data; then where a table may be, of sectors of either size. A range that
  /// holds the place of the new primary header gets the mark of an unfinished restore there; one of the last step does.
  std::vector<std::vector<ByteRange>> wipe_steps;

  /// Of what was there before, in the free space: they become zeros too.
  std::vector<Signature> stale_signatures;

  /// All that needs space in a file: data, the table, and the ends of holes that are no whole blocks of its file system.
  std::vector<ByteRange> needs_space;

  /// What Filling leaves alone: the table comes later, a new file has all holes already, free space may be kept.
  std::vector<ByteRange> not_filled;

  /// A primary header for sectors of 4096 bytes which the image has among its data: a valid table before the disk is complete,
  /// if it came with the data.
  std::optional<Structure> other_header;

  /// The structures of the table, in the order in which they are written; each step is durable before the next begins.
  std::vector<std::vector<const Structure*>> table_steps() const;
};

RestorePlan plan_restore(const Disk& disk, const TargetBefore& before, FreeSpace free_space);

}  // namespace gptgrow
