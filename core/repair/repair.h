// SPDX-License-Identifier: BSD-3-Clause
// A repair as writes in an order that keeps a valid GPT on the disk at every moment.
//
// While one table is rewritten, the other one is valid: from an image, the survivor of the start (the primary, if it is valid,
// else the backup) is rewritten last; in place, a damaged primary is rebuilt first, as it was, and then rewritten last. Each
// write is durable before the next begins. A write that is cut off, with sectors in any state, therefore hurts at most the
// table that is being rewritten. Planned again, after any cut, what is left of the writes makes the same disk; but not where
// slots move. Undoing writes in the reverse order passes through the same states.
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
  std::vector<Write> writes;    // in the order in which they are done, a place perhaps twice; empty: nothing to do
  std::vector<Change> changes;  // the same, named
  std::vector<Overwritten> overwritten;   // data that is not the image's where a table may have been; it is not written
  std::vector<std::uint32_t> kept_slots;  // whose partitions keep the disk's end
  std::optional<Extension> extension;     // of a partition, where that was asked for, or where it is all that is kept
  std::vector<std::string> warnings;      // a sentence each, without the disk's name
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

/// The disk's own table, at the end of the disk, its entries moved, and a partition extended where `reading` says so: without
/// `moves`, what is served of the disk at its own size. The table that counts is the primary; where that is damaged it is
/// rebuilt from the backup, and with `moves` refused. A backup that is likely to be another disk's is taken only where
/// `reading` chooses the backup. Throws Error like the other, where extend() does, and when a partition is extended and the old
/// backup that would become zeros lies in one.
RepairPlan plan_in_place(const Source& disk, Reading reading, const std::vector<SlotMove>& moves = {});

/// Writes, each durable before the next, then reads back. Throws Error when the disk does not hold what was written.
void write_and_check(const std::vector<Write>& writes, Target& target);

}  // namespace gptgrow
