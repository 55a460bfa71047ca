// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <string_view>

namespace gptgrow {

/// What becomes of the space behind the image and all partitions.
enum class FreeSpace {
  discard,  // given back to the device where it can do that, else zeros that it writes within seconds, else left
  zero,
  keep,
};

/// Throws Error for any other word than discard, zero and keep.
FreeSpace parse_free_space(std::string_view word);

std::string to_string(FreeSpace free_space);

}  // namespace gptgrow
