// SPDX-License-Identifier: BSD-3-Clause
// Which entry of one table is which of another.
#pragma once

#include "core/compare/compare.h"

namespace gptgrow {

struct MatchedSlots {
  std::vector<std::uint32_t> same;
  std::vector<SlotDifference> differences;  // by slot of A, then of B
};

/// Entries are recognized by their GUID, in the same slot first, else by type and extent.
MatchedSlots match_slots(const FoundTable& a, const FoundTable& b);

}  // namespace gptgrow
