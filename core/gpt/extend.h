// SPDX-License-Identifier: BSD-3-Clause
// A partition that is made longer, up to the end of its disk: the one change of the array that users ask for.
#pragma once

#include "core/gpt/gpt.h"

#include <optional>
#include <string_view>

namespace gptgrow {

/// Which slot is to be extended; without a number, the used one that ends last.
struct SlotToExtend {
  std::optional<std::uint32_t> number = {};  // from 1
};

/// "last", or a number from 1. Throws Error.
SlotToExtend parse_slot_to_extend(std::string_view text);

/// What became of a slot. Nothing, where `before` and `after` are the same: it ended there already.
struct Extension {
  std::uint32_t slot = 0;
  Lba first_lba;
  Lba before;  // EndingLBA
  Lba after;

  bool operator==(const Extension&) const = default;
};

/// The last LBA at or before `last_usable_lba` behind which a multiple of 4096 bytes begins; none, where there is no such LBA.
std::optional<Lba> last_extended_lba(Lba last_usable_lba, std::uint32_t sector_size_bytes);

/// Throws Error where a record of the MBR lies where `entry` does, or would with EndingLBA `last_lba`: it would go on to say
/// where the partition ended, or is of something that the GPT does not know of. `name` is the disk's.
void check_not_hybrid(const Gpt& gpt, const Entry& entry, Lba last_lba, const std::string& name);

/// Moves EndingLBA of a slot to the last_extended_lba() of its table, in both arrays, and sets the CRCs. Throws Error, and
/// changes nothing, when the slot is unused or does not exist, another entry begins or ends behind it, a record of the MBR
/// lies there too, or it would become shorter. `name` is the disk's, for messages.
Extension extend(Gpt& gpt, SlotToExtend which, const std::string& name);

}  // namespace gptgrow
