// SPDX-License-Identifier: BSD-3-Clause
// The one place of the project that writes to a disk.
#pragma once

#include "core/target/direct.h"

#include <atomic>
#include <optional>

#include <sys/stat.h>

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
  virtual void read(std::uint64_t offset, std::span<std::byte> buffer) const = 0;
};

/// What others may do with a disk meanwhile.
enum class Others {
  none,           // nothing
  in_partitions,  // have its partitions mounted, swapped on or open, but not the disk itself
};

/// A file or block device, held exclusively from when this is made until it is gone, but for what Others may do. zero(), can_punch(), write() and flush()
/// may be called by several threads at once, for bytes that no two of them share.
class DeviceTarget : public DirectSource, public Target {
public:
  /// Throws Error when anything holds any byte of `path`, at any depth, or when that is neither a file nor a block device;
  /// std::system_error when it cannot be opened for writing.
  explicit DeviceTarget(const std::string& path, Others others = Others::none);

  /// Makes a file of `size_bytes`, all of it a hole. Throws Error when there is something of that name. The umask counts.
  DeviceTarget(const std::string& path, std::uint64_t size_bytes, mode_t mode = 0666);

  /// Whether others have its partitions. Then whole sectors can be written, nothing else, and only what is in no partition.
  bool has_partitions_in_use() const { return has_partitions_in_use_; }

  /// Why a holder of what was there might not have been found, a sentence each.
  const std::vector<std::string>& unseen_holders() const { return unseen_holders_; }

  void write(std::uint64_t offset, std::span<const std::byte> bytes) override;
  void flush() override;
  void read(std::uint64_t offset, std::span<std::byte> buffer) const override { DirectSource::read(offset, buffer); }

  /// Makes `range` zeros: by punching a hole, by the device, by writing, whichever is the first that works. What a device
  /// then reads there is looked at, at both ends. Takes as long as the range is.
  void zero(ByteRange range);

  /// Whether zero() takes no longer than a call.
  bool can_punch() const { return zero_method_ == ZeroMethod::punch; }

  /// Tells a device that `range` is not needed, or takes its space from a file. False: it cannot, or failed at it. What a
  /// device reads there afterwards is its own choice.
  bool discard(ByteRange range);

  /// Makes a device write zeros itself, if it can do that without being sent them. False: it cannot, or failed at it.
  bool zero_by_device(ByteRange range);

  /// Takes the space for `range` of a file. False: the file system does not do that.
  bool allocate(ByteRange range);

  /// Makes the kernel read the partition table of a block device again. Returns why it did not, or nothing.
  std::optional<std::string> reread_partitions();

private:
  enum class ZeroMethod { punch, device, write };

  struct Opened {
    FileDescriptor fd;
    bool has_partitions_in_use = false;
  };

  static Opened open_to_write(const std::string& path, Others others);
  DeviceTarget(const std::string& path, Opened opened, Others others);
  void hold();
  void refuse_if_held(Others others);
  void write_past_cache(std::uint64_t offset, std::span<const std::byte> bytes);
  bool try_zero(ZeroMethod method, ByteRange range);
  bool ends_are_zero(ByteRange range) const;

  bool has_partitions_in_use_ = false;
  std::vector<FileDescriptor> claims_;  // of what is below
  std::vector<std::string> unseen_holders_;
  std::atomic<ZeroMethod> zero_method_ = ZeroMethod::punch;
};

}  // namespace gptgrow
