// SPDX-License-Identifier: BSD-3-Clause
#include "core/gpt/entry.h"

namespace gptgrow {

namespace {

constexpr std::size_t kNameOffset = 56;
constexpr std::size_t kNameUnits = 36;

std::u16string get_name(std::span<const std::byte> entry)
{
  std::u16string name;
  for (std::size_t i = 0; i < kNameUnits; ++i) {
    const auto unit = get_field<std::uint16_t>(entry, kNameOffset + 2 * i);
    if (unit == 0)
      break;
    name += static_cast<char16_t>(unit);
  }
  return name;
}

}  // namespace

std::vector<Entry> used_entries(std::span<const std::byte> array, std::uint32_t entry_size_bytes)
{
  std::vector<Entry> entries;
  for (std::size_t i = 0; i < array.size() / entry_size_bytes; ++i) {
    const auto bytes = array.subspan(i * entry_size_bytes, entry_size_bytes);
    const Guid type_guid = get_guid(bytes, 0);
    if (type_guid.is_nil())
      continue;
    entries.push_back({.slot = static_cast<std::uint32_t>(i + 1),
                       .type_guid = type_guid,
                       .partition_guid = get_guid(bytes, 16),
                       .first_lba = Lba{get_field<std::uint64_t>(bytes, 32)},
                       .last_lba = Lba{get_field<std::uint64_t>(bytes, kLastLbaOffset)},
                       .attributes = get_field<std::uint64_t>(bytes, 48),
                       .name = get_name(bytes)});
  }
  return entries;
}

ByteRange bytes_of(const Entry& entry, std::uint32_t sector_size_bytes, std::uint64_t disk_size_bytes)
{
  const Lba end{disk_size_bytes / sector_size_bytes};
  if (entry.first_lba >= end || entry.last_lba < entry.first_lba)
    return {};
  const std::uint64_t count = std::min(entry.last_lba.value, end.value - 1) - entry.first_lba.value + 1;
  return bytes_of(entry.first_lba, count, sector_size_bytes);
}

}  // namespace gptgrow
