// SPDX-License-Identifier: BSD-3-Clause
// An image in memory, and somebody who does something whenever it is read.
#pragma once

#include "tests/unit/memory_source.h"

#include <functional>

class WatchedSource : public MemorySource {
public:
  using MemorySource::MemorySource;

  /// Any thread may call it.
  std::function<void(gptgrow::ByteRange)> before_read = [](gptgrow::ByteRange) {};

  void read(std::uint64_t offset, std::span<std::byte> buffer) const override
  {
    before_read({offset, buffer.size()});
    MemorySource::read(offset, buffer);
  }
};
