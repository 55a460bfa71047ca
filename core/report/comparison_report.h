// SPDX-License-Identifier: BSD-3-Clause
// A comparison, for people and for programs.
#pragma once

#include "core/repair/compare.h"
#include "core/report/text_style.h"

namespace gptgrow {

/// The diagnosis first, then slot by slot, then field by field. Names from the disk are escaped.
std::string to_text(const Comparison& comparison, const TextStyle& style);
std::string to_json(const Comparison& comparison);

}  // namespace gptgrow
