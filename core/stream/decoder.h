// SPDX-License-Identifier: BSD-3-Clause
// The bytes inside a compressed file or pipe.
#pragma once

#include "core/stream/input.h"

#include <functional>
#include <string_view>

namespace gptgrow {

enum class Compression { none, gzip, bzip2, xz, zstd, lz4 };

std::string_view name_of(Compression compression);

/// Which one a file that begins with `head` has; none: it is no compressed file that can be read.
Compression compression_of(std::span<const std::byte> head);

class Decoder {
public:
  virtual ~Decoder() = default;

  /// Fills `buffer`, or as much of it as there is until the end. Throws Error when what was read is damaged, cut off, or goes
  /// on behind its end; and what Input::read() throws.
  virtual std::size_t read(std::span<std::byte> buffer) = 0;
};

/// The next bytes of a file or pipe: at least one; 0 at its end. May throw.
using ReadMore = std::function<std::size_t(std::span<std::byte>)>;

/// `name` is for messages. One or many members, frames or blocks, one after the other.
std::unique_ptr<Decoder> make_decoder(Compression compression, const std::string& name, ReadMore read_more);

}  // namespace gptgrow
