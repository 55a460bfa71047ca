// SPDX-License-Identifier: BSD-3-Clause
// The disk that is served: an image, seen through a layout.
#pragma once

#include "core/layout.h"

namespace gptgrow {

/// How an image is read, and what is served of it.
struct Reading {
  std::optional<std::uint32_t> sector_size_bytes = {};  // none: found from the table
  TableChoice table = TableChoice::primary;
  Policy policy = {};
};

/// Every const member may be called from several threads at once, and neither allocates nor locks unless it throws.
/// Failed system calls are std::system_error.
class Disk {
public:
  /// Checks and plans. Throws Error when anything is refused.
  Disk(Image image, const WantedSize& size, const Reading& reading);

  std::uint64_t size_bytes() const { return layout_.regions.size_bytes(); }
  const Image& image() const { return image_; }
  const Table& table() const { return table_; }
  const Layout& layout() const { return layout_; }

  /// What the user should know, a sentence each, without the image's name.
  const std::vector<std::string>& warnings() const { return warnings_; }

  /// Fills `buffer` with the disk's bytes at `offset`. Precondition: they lie inside size_bytes().
  void read(std::uint64_t offset, std::span<std::byte> buffer) const;

  /// The data or hole that starts at `range.offset`, at most `range.size` bytes of it; the next one may be of the same
  /// kind. Precondition: `range` is not empty and lies inside size_bytes().
  Extent extent(ByteRange range) const;

  /// Where `range` lies in the image file, for those who hand its descriptor on instead of bytes; none when a part of it
  /// is not the image's. Precondition: `range` is not empty and lies inside size_bytes().
  std::optional<std::uint64_t> image_offset(ByteRange range) const;

  /// Asks the kernel to read the image's part of `range` ahead. Precondition: `range` lies inside size_bytes().
  void prefetch(ByteRange range) const;

private:
  Image image_;
  Table table_;
  Layout layout_;
  std::vector<std::string> warnings_;
};

}  // namespace gptgrow
