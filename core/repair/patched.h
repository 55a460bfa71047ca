// SPDX-License-Identifier: BSD-3-Clause
// A source of which some bytes are others. Internal to core/repair.
#pragma once

#include "core/source/source.h"

namespace gptgrow {

/// For one thread. What it is made of must live as long.
class Patched final : public Source {
public:
  explicit Patched(const Source& source) : source_(source) {}

  /// What was put later wins. Precondition: the bytes end at or before the end of the source.
  void put(std::uint64_t offset, std::span<const std::byte> bytes)
  {
    patches_.push_back({offset, {bytes.begin(), bytes.end()}});
  }

  const std::string& name() const override { return source_.name(); }
  std::uint64_t size_bytes() const override { return source_.size_bytes(); }
  std::uint32_t device_sector_size_bytes() const override { return source_.device_sector_size_bytes(); }

  void read(std::uint64_t offset, std::span<std::byte> buffer) const override
  {
    source_.read(offset, buffer);
    for (const Patch& patch : patches_) {
      const std::uint64_t first = std::max(offset, patch.offset);
      const std::uint64_t end = std::min(offset + buffer.size(), patch.offset + patch.bytes.size());
      if (first < end)
        std::ranges::copy(std::span(patch.bytes).subspan(first - patch.offset, end - first),
                          buffer.subspan(first - offset).begin());
    }
  }

private:
  struct Patch {
    std::uint64_t offset = 0;
    std::vector<std::byte> bytes;
  };

  const Source& source_;
  std::vector<Patch> patches_;
};

}  // namespace gptgrow
