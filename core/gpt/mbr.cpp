// SPDX-License-Identifier: BSD-3-Clause
#include "core/gpt/mbr.h"

#include "core/gpt/fields.h"

#include <algorithm>

namespace gptgrow {

namespace {

constexpr std::size_t kRecordsOffset = 446;
constexpr std::size_t kRecordSizeBytes = 16;
constexpr std::size_t kRecordCount = 4;
constexpr std::size_t kBootIndicatorOffset = 0;
constexpr std::size_t kOsTypeOffset = 4;
constexpr std::size_t kStartingLbaOffset = 8;
constexpr std::size_t kSizeInLbaOffset = 12;

}  // namespace

std::array<MbrRecord, 4> mbr_records(std::span<const std::byte> sector)
{
  std::array<MbrRecord, kRecordCount> records;
  for (std::size_t i = 0; i < kRecordCount; ++i) {
    const auto record = sector.subspan(kRecordsOffset + i * kRecordSizeBytes, kRecordSizeBytes);
    records[i] = {.boot_indicator = get_field<std::uint8_t>(record, kBootIndicatorOffset),
                  .os_type = get_field<std::uint8_t>(record, kOsTypeOffset),
                  .starting_lba = get_field<std::uint32_t>(record, kStartingLbaOffset),
                  .size_in_lba = get_field<std::uint32_t>(record, kSizeInLbaOffset)};
  }
  return records;
}

void move_protective_record(std::span<std::byte> sector, Lba last_usable_lba, std::int64_t delta_sectors)
{
  for (std::size_t i = 0; i < kRecordCount; ++i) {
    const auto record = sector.subspan(kRecordsOffset + i * kRecordSizeBytes, kRecordSizeBytes);
    const std::uint64_t size_in_lba = get_field<std::uint32_t>(record, kSizeInLbaOffset);
    // A record from LBA 1 on ends at LBA SizeInLBA.
    if (get_field<std::uint8_t>(record, kOsTypeOffset) != kGptProtective ||
        get_field<std::uint32_t>(record, kStartingLbaOffset) != 1 || size_in_lba < last_usable_lba.value ||
        size_in_lba == UINT32_MAX)
      continue;
    const std::uint64_t moved = size_in_lba + static_cast<std::uint64_t>(delta_sectors);
    put_field(record, kSizeInLbaOffset, static_cast<std::uint32_t>(std::min<std::uint64_t>(moved, UINT32_MAX)));
  }
}

bool protects_up_to(std::span<const std::byte> sector, Lba last)
{
  return std::ranges::any_of(mbr_records(sector), [&](const MbrRecord& record) {
    return record.os_type == kGptProtective && record.starting_lba == 1 && record.size_in_lba != UINT32_MAX &&
           record.size_in_lba == last.value;
  });
}

}  // namespace gptgrow
