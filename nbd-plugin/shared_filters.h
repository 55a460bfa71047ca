// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

namespace gptgrow {

/// The name of an nbdkit filter of this process that keeps bytes of all connections in one place, as though they all saw one
/// disk; empty: there is none.
std::string shared_filter();

}  // namespace gptgrow
