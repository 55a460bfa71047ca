// SPDX-License-Identifier: BSD-3-Clause
// Which known tools leave which traces.
#pragma once

#include "core/repair/compare.h"

#include <set>

namespace gptgrow {

/// The tools known to leave exactly `found` where only the traces in `possible` can be left: what an image does not
/// have, it cannot lose.
std::vector<std::string> tools_that_leave(const std::set<Trace>& found, const std::set<Trace>& possible);

}  // namespace gptgrow
