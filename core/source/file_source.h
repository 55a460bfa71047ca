// SPDX-License-Identifier: BSD-3-Clause
// A file or block device that is only ever read.
#pragma once

#include "core/source/file_descriptor.h"
#include "core/source/source.h"

namespace gptgrow {

class FileSource : public Source {
public:
  /// Opens `path` read-only and takes its size. Throws Error when it is neither a regular file nor a block device.
  explicit FileSource(const std::string& path);

  /// Takes over what is open, and its size.
  FileSource(const std::string& path, FileDescriptor fd);

  const std::string& name() const override { return path_; }
  std::uint64_t size_bytes() const override { return size_bytes_; }
  std::uint32_t device_sector_size_bytes() const override { return device_sector_size_bytes_; }
  bool is_block_device() const { return device_sector_size_bytes_ != 0; }
  int fd() const { return fd_.get(); }

  /// EIO when the file has become too short.
  void read(std::uint64_t offset, std::span<std::byte> buffer) const override;
  Extent extent(ByteRange range) const override;

  void prefetch(ByteRange range) const override;
  std::optional<FileRange> file_range(ByteRange range) const override { return FileRange{fd(), range.offset}; }

  /// Also while a process is there that has inherited the open file: by locks of both kinds, shared, where the file system
  /// has them. Readers, and QEMU, do not mind.
  void share() const override;

  /// Of a file: the time of its last change. Of a device: none.
  std::string version() const override;
  std::optional<timespec> modified() const override;

private:
  void check_not_shrunk(std::uint64_t offset) const;

  std::string path_;
  FileDescriptor fd_;
  std::uint64_t size_bytes_ = 0;
  std::uint32_t device_sector_size_bytes_ = 0;
};

}  // namespace gptgrow
