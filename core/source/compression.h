// SPDX-License-Identifier: BSD-3-Clause
// Which compressed files can be read, and how they begin.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace gptgrow {

enum class Compression { none, gzip, bzip2, xz, zstd, lz4 };

std::string_view name_of(Compression compression);

/// Which one a file that begins with `head` has; none: it is no compressed file that can be read.
Compression compression_of(std::span<const std::byte> head);

}  // namespace gptgrow
