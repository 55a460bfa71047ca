// SPDX-License-Identifier: BSD-3-Clause
// The one place of the project that writes to a disk.
#pragma once

#include "core/file_descriptor.h"
#include "core/image.h"

#include <optional>

namespace gptgrow {

/// What a disk writes at once, however long its sectors are.
inline constexpr std::size_t kAtomicBytes = 512;

/// What repair needs of the disk that it writes. Failed system calls are std::system_error.
class Target {
public:
  virtual ~Target() = default;

  /// All of `bytes`, or an exception. Durable only after flush().
  virtual void write(std::uint64_t offset, std::span<const std::byte> bytes) = 0;
  virtual void flush() = 0;

  /// What the medium holds, not what is cached of it.
  virtual void read(std::uint64_t offset, std::span<std::byte> buffer) = 0;
};

/// A file or block device, held exclusively. Not to be used by several threads at once.
class DeviceTarget : public Target {
public:
  /// Throws Error when `path` is mounted or otherwise in use, is neither a file nor a block device, or backs a loop
  /// device; std::system_error when it cannot be opened for writing.
  explicit DeviceTarget(const std::string& path);

  void write(std::uint64_t offset, std::span<const std::byte> bytes) override;
  void flush() override;
  void read(std::uint64_t offset, std::span<std::byte> buffer) override;

  /// Makes the kernel read the partition table of a block device again. Returns why it did not, or nothing.
  std::optional<std::string> reread_partitions();

private:
  std::string path_;
  FileDescriptor fd_;
  bool is_block_device_ = false;
};

/// Whether both are the same file or device, under whatever name, or one is a loop device over the other.
bool same_medium(const Image& a, const Image& b);

}  // namespace gptgrow
