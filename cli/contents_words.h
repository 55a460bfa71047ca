// SPDX-License-Identifier: BSD-3-Clause
// What is on a disk, as a person is shown it before it is overwritten.
#pragma once

#include "core/target/contents.h"

namespace gptgrow {

/// ` "label"`, safe on a terminal; nothing for none.
std::string in_quotes(const std::string& label);

/// What `contents` are, in a word or two; empty: nothing is recognized.
std::string summary(const Contents& contents);

/// Number, size, what is in it and its label; ends with a newline.
std::string line_of(const PresentPartition& partition);

}  // namespace gptgrow
