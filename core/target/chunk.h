// SPDX-License-Identifier: BSD-3-Clause
// How long work on a disk is cut into pieces.
#pragma once

#include "core/target/direct.h"

#include <cstdlib>
#include <memory>
#include <new>

#include <sys/mman.h>

namespace gptgrow {

struct AlignedFree {
  void operator()(std::byte* memory) const { std::free(memory); }
};

using AlignedMemory = std::unique_ptr<std::byte[], AlignedFree>;

inline constexpr std::size_t kHugePageBytes = 2 * 1024 * 1024;

/// For going past the page cache; in huge pages, where the system has them, if it is a multiple of theirs: the kernel
/// then looks up one page instead of 512 for every write.
inline AlignedMemory make_aligned(std::size_t size)
{
  const bool is_huge = size % kHugePageBytes == 0;
  void* const memory = std::aligned_alloc(is_huge ? kHugePageBytes : kDirectAlignment, size);
  if (!memory)
    throw std::bad_alloc();
  if (is_huge)
    (void)::madvise(memory, size, MADV_HUGEPAGE);
  return AlignedMemory(static_cast<std::byte*>(memory));
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
