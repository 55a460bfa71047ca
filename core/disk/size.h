// SPDX-License-Identifier: BSD-3-Clause
// Sizes as truncate(1) reads them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gptgrow {

struct Size {
  std::uint64_t bytes = 0;
  bool relative = false;  // "+SIZE": to be added to the image's size

  /// The size in bytes. Throws Error above kMaxDiskSizeBytes.
  std::uint64_t resolve(std::uint64_t image_size_bytes) const;
};

/// Reads [+]NUMBER[SUFFIX]. SUFFIX: K M G T P E or KiB MiB ... (powers of 1024), KB MB GB ... (powers of 1000),
/// s (sectors of 512 bytes). Throws Error, which says what is allowed.
Size parse_size(std::string_view text);

/// For messages: the number in bytes and, where one is exact, with a unit: "2199023255552 bytes (2T)".
std::string format_size(std::uint64_t bytes);

}  // namespace gptgrow
