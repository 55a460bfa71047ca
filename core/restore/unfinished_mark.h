// SPDX-License-Identifier: BSD-3-Clause
// What an unfinished target holds in the place of the primary header.
#pragma once

#include "core/target/target.h"

#include <string>
#include <string_view>
#include <vector>

namespace gptgrow {

/// kAtomicBytes of text; `id` says which restore.
std::vector<std::byte> unfinished_mark(std::string_view id);

/// The id in such a text, safe to print; empty when `bytes` are no such text.
std::string unfinished_id(std::span<const std::byte> bytes);

}  // namespace gptgrow
