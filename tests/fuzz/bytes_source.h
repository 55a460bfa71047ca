// SPDX-License-Identifier: BSD-3-Clause
// A source of bytes in memory, which somebody else owns.
#pragma once

#include "core/source/source.h"
#include "tests/fuzz/require.h"

#include <cstring>

class BytesSource : public gptgrow::Source {
public:
  explicit BytesSource(std::span<const std::byte> bytes) : bytes_(bytes) {}

  const std::string& name() const override { return name_; }
  std::uint64_t size_bytes() const override { return bytes_.size(); }

  void read(std::uint64_t offset, std::span<std::byte> buffer) const override
  {
    REQUIRE(offset <= bytes_.size() && buffer.size() <= bytes_.size() - offset);
    if (!buffer.empty())
      std::memcpy(buffer.data(), bytes_.data() + offset, buffer.size());
  }

private:
  std::string name_ = "image";
  std::span<const std::byte> bytes_;
};
