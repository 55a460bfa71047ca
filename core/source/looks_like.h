// SPDX-License-Identifier: BSD-3-Clause
// What a file without a GPT may be instead.
#pragma once

#include "core/source/source.h"

namespace gptgrow {

/// How much from the beginning of a source tells what it is.
inline constexpr std::uint64_t kRecognizedBytes = 1024 * 1024;

/// What `source` looks like, and what to do with it, in one sentence: "it looks like a qcow2 disk: ...". Empty: nobody knows. Damage
/// and hostile bytes are no error. Failed system calls are std::system_error.
std::string looks_like(const Source& source);

}  // namespace gptgrow
