// SPDX-License-Identifier: BSD-3-Clause
// Systems that find their partitions by slot number, told by the types and names of the partitions.
#pragma once

#include "core/gpt/entry.h"

#include <optional>

namespace gptgrow {

struct KnownLayout {
  std::string name;                 // "VMware ESXi 5"
  std::string slots;                // what it expects in which slot
  std::vector<std::string> faults;  // slots that do not hold what they should, a sentence each
};

/// The system whose layout `entries` (in slot order) is, or was before its slots were renumbered.
std::optional<KnownLayout> known_layout(std::span<const Entry> entries);

}  // namespace gptgrow
