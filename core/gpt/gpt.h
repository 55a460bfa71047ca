// SPDX-License-Identifier: BSD-3-Clause
// The partition table of a disk as a value: MBR, two headers, two arrays, each with its place; and what may be changed in it.
#pragma once

#include "core/gpt/entry.h"
#include "core/gpt/role.h"

namespace gptgrow {

/// MBR, header and array, or array and header, of the usual length in sectors of 4096 bytes. Those of 512 take less.
inline constexpr std::uint64_t kUsualHeadBytes = 6 * 4096;
inline constexpr std::uint64_t kUsualTailBytes = 5 * 4096;

/// Whole sectors.
struct Structure {
  Role role = Role::mbr;
  std::uint64_t offset = 0;
  std::vector<std::byte> bytes;

  ByteRange range() const { return {offset, bytes.size()}; }
};

struct Gpt {
  std::uint32_t sector_size_bytes = 0;
  std::uint64_t disk_size_bytes = 0;
  std::uint32_t entry_size_bytes = 0;
  std::uint64_t array_size_bytes = 0;  // the last sector of an array may hold more
  Structure mbr, primary_header, primary_array, backup_array, backup_header;
  std::vector<Structure> old_backup;  // zeros, where a backup is left behind

  std::span<const std::byte> array() const { return std::span(primary_array.bytes).first(array_size_bytes); }

  /// All of them, in the order of their roles.
  std::vector<const Structure*> all() const;
};

/// A slot's entry goes to another slot.
struct SlotMove {
  std::uint32_t from = 0;
  std::uint32_t to = 0;
};

/// Moves entries, all at once, in both arrays, and sets the CRCs. A slot that is left becomes zeros. Throws Error when a
/// slot does not exist, is named twice, has no entry to move, or holds one that would be lost.
void move_slots(Gpt& gpt, const std::vector<SlotMove>& moves);

/// Sets EndingLBA of a slot in both arrays, and the CRCs. Precondition: the slot exists.
void set_last_lba(Gpt& gpt, std::uint32_t slot, Lba last_lba);

}  // namespace gptgrow
