// SPDX-License-Identifier: BSD-3-Clause
// A list of changes, for people and for programs.
#pragma once

#include "core/compare/changes.h"
#include "core/report/text_style.h"

namespace gptgrow {

/// One change after the other: place, field, the bytes and what they mean, before (-) and after (+). Empty when there
/// is none. Ends with a newline.
std::string to_text(const std::vector<Change>& changes, const TextStyle& style);

/// Calls its argument with every change.
using Changes = std::function<void(const std::function<void(const Change&)>&)>;
std::string to_text(const Changes& changes, const TextStyle& style);

/// An object with what is changed and what it is to become, and the list. `disk` and `from` are paths;
/// `disk` is empty where there is none yet.
std::string to_json(const std::vector<Change>& changes, const std::string& disk, const std::string& from,
                    std::uint64_t size_bytes, std::uint32_t sector_size_bytes);

}  // namespace gptgrow
