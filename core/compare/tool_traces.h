// SPDX-License-Identifier: BSD-3-Clause
// Which known tools could have made one table from another.
#pragma once

#include "core/compare/compare.h"

namespace gptgrow {

/// The tools of which all that they do to A's table would leave B's, to the last bit where they are known so well, and
/// those that are only known to leave such findings. Each is one possibility. Precondition: the comparison has its
/// slots, fields and findings, and is not same().
std::vector<std::string> tools_behind(const Comparison& comparison, bool b_is_mirrored);

}  // namespace gptgrow
