// SPDX-License-Identifier: BSD-3-Clause
// A repair as writes in an order that keeps a valid GPT on the disk at every moment.
//
// While one table is rewritten, the other one is valid: the survivor of the start (the primary, if it is valid, else the
// backup) is rewritten last. Each write is durable before the next begins. A write that is cut off, with sectors in any
// state, therefore hurts at most the table that is being rewritten. MBR and the zeros over an old backup come at the end.
// Undoing writes in the reverse order passes through the same states.
#pragma once

#include "core/compare/changes.h"
#include "core/error.h"
#include "core/gpt/gpt.h"
#include "core/repair/overwritten.h"
#include "core/target/target.h"

namespace gptgrow {

/// Sectors that get other bytes.
struct Write {
  std::string what;  // "primary array"
  std::uint64_t offset = 0;
  std::vector<std::byte> before;
  std::vector<std::byte> after;

  ByteRange range() const { return {offset, after.size()}; }
};

struct RepairPlan {
  std::uint64_t disk_size_bytes = 0;
  std::uint32_t sector_size_bytes = 0;
  std::vector<Write> writes;             // in the order in which they are done; empty: nothing to do
  std::vector<Change> changes;           // the same, named
  std::vector<Overwritten> overwritten;  // data that is not the image's where a table may have been; it is not written
  std::optional<Extension> extension;    // of a partition, where that was asked for
  std::vector<std::string> warnings;     // a sentence each, without the disk's name
};

/// What becomes of a partition that is the image's, but ends further out on the disk.
enum class GrownSlots {
  refuse,
  keep,  // it keeps the disk's EndingLBA
};

/// MBR, headers and arrays of `image`, for the size of `disk`. Throws Error when the partitions
/// of `disk` are not the image's (GUID, type, first and last LBA), but for the slots in `replaced_slots`, which get the
/// image's entry, or none, and those that `grown` allows; when `disk` has no valid GPT; when it is the image; when a
/// structure would lie on a partition.
RepairPlan plan_repair_from_image(const Source& disk, const Source& image, const Reading& reading,
                                  const std::vector<std::uint32_t>& replaced_slots,
                                  GrownSlots grown = GrownSlots::refuse);

/// The disk's own table, at the end of the disk, its entries moved. Without `moves` the table that counts is the primary,
/// or the backup where the primary is damaged; with them a damaged primary is refused. A backup that is likely to be
/// another disk's is taken only where `reading` chooses the backup. Throws Error like the other.
RepairPlan plan_repair_in_place(const Source& disk, Reading reading, const std::vector<SlotMove>& moves);

/// A partition of the disk extended, and what belongs to the end of the disk moved there: what is served of the disk at its own
/// size. `reading` says which slot. A damaged primary is rebuilt from the backup, as by plan_repair_in_place(). Throws Error where
/// that one or extend() does, or the old backup that would become zeros lies in a partition.
RepairPlan plan_extension(const Source& disk, Reading reading);

/// Writes, each durable before the next, then reads back. Throws Error when the disk does not hold what was written.
void write_and_check(const std::vector<Write>& writes, Target& target);

}  // namespace gptgrow
