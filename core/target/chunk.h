// SPDX-License-Identifier: BSD-3-Clause
// How long work on a disk is cut into pieces.
#pragma once

#include "core/target/direct.h"

#include <memory>
#include <new>

namespace gptgrow {

struct AlignedFree {
  void operator()(std::byte* memory) const { ::operator delete[](memory, std::align_val_t(kDirectAlignment)); }
};

using AlignedMemory = std::unique_ptr<std::byte[], AlignedFree>;

/// For going past the page cache.
inline AlignedMemory make_aligned(std::size_t size)
{
  return AlignedMemory(new (std::align_val_t(kDirectAlignment)) std::byte[size]);
}

inline constexpr std::size_t kChunkBytes = 512 * 1024;

/// The first part of `range` that can be one chunk: at most kChunkBytes, up to a multiple of that, its ends aligned for
/// going past the page cache where the range is long enough. Precondition: not empty.
constexpr ByteRange first_chunk(ByteRange range)
{
  // Ragged ends are chunks of their own, so that all the rest can go past the page cache.
  const std::uint64_t block = range.offset % kDirectAlignment == 0 ? kChunkBytes : kDirectAlignment;
  std::uint64_t end = std::min((range.offset / block + 1) * block, range.end());
  if (const std::uint64_t whole = end / kDirectAlignment * kDirectAlignment; whole > range.offset)
    end = whole;
  return clip(range, end);
}

}  // namespace gptgrow
