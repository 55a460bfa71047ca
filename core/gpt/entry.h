// SPDX-License-Identifier: BSD-3-Clause
// One partition entry: UEFI 2.10, 5.3.3, table 5-6. A slot is an entry's place in the array, counted from 1.
#pragma once

#include "core/gpt/fields.h"
#include "core/units.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>
#include <vector>

namespace gptgrow {

/// Of StartingLBA and EndingLBA in an entry, in bytes.
inline constexpr std::size_t kFirstLbaOffset = 32;
inline constexpr std::size_t kLastLbaOffset = 40;

/// Up to its first NUL; from the disk, so perhaps not valid UTF-16. Held in the entry: an array may have 131,072 of them.
class PartitionName {
public:
  static constexpr std::size_t kUnits = 36;

  PartitionName() = default;
  PartitionName(std::u16string_view text)
  {
    std::ranges::copy(text.substr(0, std::min(text.find(u'\0'), units_.size())), units_.begin());
  }

  std::u16string_view view() const { return std::u16string_view(units_.data(), units_.size()).substr(0, size()); }
  operator std::u16string_view() const { return view(); }
  std::size_t size() const { return static_cast<std::size_t>(std::ranges::find(units_, u'\0') - units_.begin()); }
  bool empty() const { return units_[0] == u'\0'; }
  bool operator==(const PartitionName&) const = default;

private:
  std::array<char16_t, kUnits> units_{};  // behind the name: zeros
};

struct Entry {
  std::uint32_t slot = 0;
  Guid type_guid{};       // PartitionTypeGUID
  Guid partition_guid{};  // UniquePartitionGUID
  Lba first_lba;          // StartingLBA
  Lba last_lba;           // EndingLBA, inclusive
  std::uint64_t attributes = 0;
  PartitionName name;

  bool operator==(const Entry&) const = default;
};

/// The bytes of a partition entry array, up to 16 MiB. Copies share them: nobody changes them.
class EntryArray {
public:
  EntryArray() = default;
  explicit EntryArray(std::vector<std::byte> bytes)
      : bytes_(std::make_shared<const std::vector<std::byte>>(std::move(bytes)))
  {
  }

  std::size_t size() const { return bytes_ ? bytes_->size() : 0; }
  const std::byte* begin() const { return bytes_ ? bytes_->data() : nullptr; }
  const std::byte* end() const { return begin() + size(); }

  bool operator==(const EntryArray& other) const { return bytes_ == other.bytes_ || std::ranges::equal(*this, other); }

private:
  std::shared_ptr<const std::vector<std::byte>> bytes_;  // none: empty
};

/// Whether a slot has a type.
inline bool is_used(std::span<const std::byte> slot)
{
  return !is_zero(slot.first(16));
}

/// The entry in the slot of that number. Precondition: at least 128 bytes.
Entry entry_of(std::span<const std::byte> slot, std::uint32_t number);

/// The used entries (those with a type) of `array`, in slot order. Precondition: entry_size_bytes >= 128. Trailing
/// bytes of the array that make no whole entry are ignored.
std::vector<Entry> used_entries(std::span<const std::byte> array, std::uint32_t entry_size_bytes);

/// The bytes of `entry` that lie on a disk of `disk_size_bytes`; empty, at 0, when there are none or it ends before it
/// begins.
ByteRange bytes_of(const Entry& entry, std::uint32_t sector_size_bytes, std::uint64_t disk_size_bytes);

}  // namespace gptgrow
