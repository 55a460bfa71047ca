// SPDX-License-Identifier: BSD-3-Clause
// The bytes inside a compressed file or pipe.
#pragma once

#include "core/source/compression.h"
#include "core/stream/input.h"

#include <functional>

namespace gptgrow {

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
