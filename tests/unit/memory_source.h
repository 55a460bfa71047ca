// SPDX-License-Identifier: BSD-3-Clause
// An image in memory.
#pragma once

#include "core/source/source.h"
#include "tests/unit/catch2.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

class MemorySource : public gptgrow::Source {
public:
  explicit MemorySource(std::vector<std::byte> bytes, std::uint32_t device_sector_size_bytes = 0)
      : bytes_(std::move(bytes)), size_bytes_(bytes_.size()), device_sector_size_bytes_(device_sector_size_bytes)
  {
  }

  /// Behind its bytes, which may be none, it is a hole.
  void resize(std::uint64_t size_bytes) { size_bytes_ = size_bytes; }
  void set_version(std::string version) { version_ = std::move(version); }

  const std::string& name() const override { return name_; }
  std::uint64_t size_bytes() const override { return size_bytes_; }
  std::uint32_t device_sector_size_bytes() const override { return device_sector_size_bytes_; }
  std::string version() const override { return version_; }

  void read(std::uint64_t offset, std::span<std::byte> buffer) const override
  {
    expect(offset <= size_bytes_ && buffer.size() <= size_bytes_ - offset);
    const gptgrow::ByteRange there = gptgrow::clip({offset, buffer.size()}, bytes_.size());
    std::ranges::copy(std::span(bytes_).subspan(there.offset, there.size), buffer.begin());
    std::ranges::fill(buffer.subspan(there.size), std::byte{0});
  }

  gptgrow::Extent extent(gptgrow::ByteRange range) const override
  {
    expect(range.size != 0 && range.end() <= size_bytes_);
    const gptgrow::ByteRange there = gptgrow::clip(range, bytes_.size());
    return there.size != 0 ? gptgrow::Extent{there.size, false} : gptgrow::Extent{range.size, true};
  }

private:
  /// Not by Catch2, which counts in one thread.
  static void expect(bool kept)
  {
    if (!kept)
      throw std::logic_error("a precondition of Source is broken");
  }

  std::string name_ = "image";
  std::string version_;
  std::vector<std::byte> bytes_;
  std::uint64_t size_bytes_;
  std::uint32_t device_sector_size_bytes_;
};

inline std::shared_ptr<MemorySource> in_memory(std::vector<std::byte> bytes, std::uint32_t device_sector_size_bytes = 0)
{
  return std::make_shared<MemorySource>(std::move(bytes), device_sector_size_bytes);
}
