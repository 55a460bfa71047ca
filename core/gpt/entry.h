// SPDX-License-Identifier: BSD-3-Clause
// One partition entry: UEFI 2.10, 5.3.3, table 5-6. A slot is an entry's place in the array, counted from 1.
#pragma once

#include "core/gpt/fields.h"
#include "core/units.h"

#include <string>
#include <vector>

namespace gptgrow {

/// Of EndingLBA in an entry, in bytes.
inline constexpr std::size_t kLastLbaOffset = 40;

struct Entry {
  std::uint32_t slot = 0;
  Guid type_guid{};       // PartitionTypeGUID
  Guid partition_guid{};  // UniquePartitionGUID
  Lba first_lba;          // StartingLBA
  Lba last_lba;           // EndingLBA, inclusive
  std::uint64_t attributes = 0;
  std::u16string name;  // PartitionName up to its first NUL; from the disk, so perhaps not valid UTF-16

  bool operator==(const Entry&) const = default;
};

/// The used entries (those with a type) of `array`, in slot order. Precondition: entry_size_bytes >= 128. Trailing
/// bytes of the array that make no whole entry are ignored.
std::vector<Entry> used_entries(std::span<const std::byte> array, std::uint32_t entry_size_bytes);

/// The bytes of `entry` that lie on a disk of `disk_size_bytes`; empty, at 0, when there are none or it ends before it
/// begins.
ByteRange bytes_of(const Entry& entry, std::uint32_t sector_size_bytes, std::uint64_t disk_size_bytes);

}  // namespace gptgrow
