// SPDX-License-Identifier: BSD-3-Clause
// The image: a file or block device that is only ever read.
#pragma once

#include "core/source/file_descriptor.h"
#include "core/units.h"

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace gptgrow {

/// Bytes that are all data, or all a hole (they read as zeros).
struct Extent {
  std::uint64_t size = 0;
  bool hole = false;
};

/// An open image; copies share the open file. Every member may be called from several threads at once. Failed system calls
/// are std::system_error.
class Image {
public:
  /// Opens `path` read-only and takes its size. Throws Error when it is neither a regular file nor a block device.
  explicit Image(const std::string& path);

  const std::string& path() const { return path_; }
  std::uint64_t size_bytes() const { return size_bytes_; }
  int fd() const { return fd_->get(); }

  /// The logical sector size of a block device; 0 for a file.
  std::uint32_t device_sector_size_bytes() const { return device_sector_size_bytes_; }

  /// Fills `buffer` with the bytes at `offset`. EIO when the file has become too short for them: never zeros.
  /// Precondition: the bytes lie inside size_bytes().
  void read(std::uint64_t offset, std::span<std::byte> buffer) const;

  /// The data or hole that starts at `range.offset`, at most `range.size` bytes of it. Precondition: `range` lies inside
  /// size_bytes() and is not empty. EIO when the file has become shorter; where holes cannot be told, all is data.
  Extent extent(ByteRange range) const;

  /// Tells those who would overwrite the image that it is in use, until this object and its copies are gone, and in every process
  /// that has inherited them: by locks of both kinds, shared, where the file system has them. Readers, and QEMU, do not mind.
  void share() const;

  /// Asks the kernel to read the bytes ahead.
  void prefetch(ByteRange range) const;

private:
  void check_not_shrunk(std::uint64_t offset) const;

  std::string path_;
  std::shared_ptr<const FileDescriptor> fd_;
  std::uint64_t size_bytes_ = 0;
  std::uint32_t device_sector_size_bytes_ = 0;
};

/// The bytes of `range`, as Image::read() gives them.
std::vector<std::byte> read_bytes(const Image& image, ByteRange range);

}  // namespace gptgrow
