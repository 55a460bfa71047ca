// SPDX-License-Identifier: BSD-3-Clause
#include "core/gpt/entry.h"

#include <array>
#include <cstring>

namespace gptgrow {

namespace {

constexpr std::size_t kNameOffset = 56;

PartitionName get_name(std::span<const std::byte> entry)
{
  std::array<char16_t, PartitionName::kUnits> name;
  std::memcpy(name.data(), entry.subspan(kNameOffset, sizeof(name)).data(), sizeof(name));
  for (char16_t& unit : name)
    boost::endian::little_to_native_inplace(unit);
  return std::u16string_view(name.data(), name.size());
}

}  // namespace

Entry entry_of(std::span<const std::byte> slot, std::uint32_t number)
{
  return {.slot = number,
          .type_guid = get_guid(slot, 0),
          .partition_guid = get_guid(slot, 16),
          .first_lba = Lba{get_field<std::uint64_t>(slot, kFirstLbaOffset)},
          .last_lba = Lba{get_field<std::uint64_t>(slot, kLastLbaOffset)},
          .attributes = get_field<std::uint64_t>(slot, 48),
          .name = get_name(slot)};
}

std::vector<Entry> used_entries(std::span<const std::byte> array, std::uint32_t entry_size_bytes)
{
  std::vector<Entry> entries;
  for (std::size_t i = 0; i < array.size() / entry_size_bytes; ++i) {
    const auto bytes = array.subspan(i * entry_size_bytes, entry_size_bytes);
    if (is_used(bytes))
      entries.push_back(entry_of(bytes, static_cast<std::uint32_t>(i + 1)));
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
