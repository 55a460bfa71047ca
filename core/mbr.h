// SPDX-License-Identifier: BSD-3-Clause
// The protective or hybrid MBR in front of a GPT: UEFI 2.10, 5.2.
#pragma once

#include "core/units.h"

#include <cstddef>
#include <span>

namespace gptgrow {

/// Moves the end of the disk by `delta_sectors` in `sector` (LBA 0): SizeInLBA of each record of type 0xEE that starts
/// at LBA 1, reaches `last_usable_lba` (the old one, inclusive) and is not 0xFFFFFFFF, up to 0xFFFFFFFF. Every other
/// bit stays. Preconditions: at least 512 bytes; -delta_sectors <= last_usable_lba.
void move_protective_record(std::span<std::byte> sector, Lba last_usable_lba, std::int64_t delta_sectors);

}  // namespace gptgrow
