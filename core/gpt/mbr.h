// SPDX-License-Identifier: BSD-3-Clause
// The protective or hybrid MBR in front of a GPT: UEFI 2.10, 5.2.
#pragma once

#include "core/units.h"

#include <array>
#include <cstddef>
#include <span>

namespace gptgrow {

/// What of LBA 0 is the MBR, whatever the size of a sector.
inline constexpr std::uint32_t kMbrSizeBytes = 512;

/// One partition record, with UEFI's names.
struct MbrRecord {
  std::uint8_t boot_indicator = 0;
  std::uint8_t os_type = 0;
  std::uint32_t starting_lba = 0;
  std::uint32_t size_in_lba = 0;

  bool operator==(const MbrRecord&) const = default;
};

/// OSType of the record that protects a GPT.
inline constexpr std::uint8_t kGptProtective = 0xee;

/// The four records of `sector` (LBA 0). Precondition: at least 512 bytes.
std::array<MbrRecord, 4> mbr_records(std::span<const std::byte> sector);

/// Moves the end of the disk by `delta_sectors` in `sector` (LBA 0): SizeInLBA of each record of type 0xEE that starts
/// at LBA 1, reaches `last_usable_lba` (the old one, inclusive) and is not 0xFFFFFFFF, up to 0xFFFFFFFF. Every other
/// bit stays. Preconditions: at least 512 bytes; -delta_sectors <= last_usable_lba.
void move_protective_record(std::span<std::byte> sector, Lba last_usable_lba, std::int64_t delta_sectors);

/// Whether a record of type 0xEE starts at LBA 1 and ends at `last`, and is not 0xFFFFFFFF. Precondition: at least 512 bytes.
bool protects_up_to(std::span<const std::byte> sector, Lba last);

}  // namespace gptgrow
