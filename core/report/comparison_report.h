// SPDX-License-Identifier: BSD-3-Clause
// A comparison, for people and for programs.
#pragma once

#include "core/compare/compare.h"
#include "core/report/text_style.h"

#include <functional>
#include <string_view>

namespace gptgrow {

/// The diagnosis first, then slot by slot, then field by field. Names from the disk are escaped.
std::string to_text(const Comparison& comparison, const TextStyle& style);

/// Writes it piece by piece: a large array makes a long text.
void write_json(const Comparison& comparison, const std::function<void(std::string_view)>& write);

}  // namespace gptgrow
