// SPDX-License-Identifier: BSD-3-Clause
// What a repair would do and what it leaves, for people and for programs.
#pragma once

#include "core/repair/repair.h"
#include "core/report/text_style.h"

namespace gptgrow {

/// Data that the repair leaves, place by place, and how to copy it from the image at `from`. Empty when there is none.
/// Ends with a newline.
std::string overwritten_text(const RepairPlan& plan, const std::string& disk, const std::string& from,
                             const TextStyle& style);

/// An object, as `gptgrow plan` prints it, with what is left and the warnings.
std::string to_json(const RepairPlan& plan, const std::string& disk, const std::string& from);

}  // namespace gptgrow
