// SPDX-License-Identifier: BSD-3-Clause
// What a repair would do and what it leaves, for people and for programs.
#pragma once

#include "core/repair/repair.h"
#include "core/report/text_style.h"

namespace gptgrow {

/// Data that the repair leaves, place by place, and how to copy it from the image at `from`; where that is no raw file, what to
/// make of it first. Empty when there is none. Ends with a newline.
std::string overwritten_text(const RepairPlan& plan, const std::string& disk, const std::string& from,
                             const TextStyle& style);

/// What an extended partition holds, in words of libblkid and of who grows it; each may be empty.
struct ExtendedContents {
  std::string type, grow_command, remark;
};

/// An object: the partition as it was and will be, what it holds, the changes, the warnings. Precondition: the plan extends one.
std::string to_json(const RepairPlan& plan, const std::string& disk, const ExtendedContents& contents);

/// An object, as `gptgrow plan` prints it, with what is left and the warnings.
std::string to_json(const RepairPlan& plan, const std::string& disk, const std::string& from);

}  // namespace gptgrow
