// SPDX-License-Identifier: BSD-3-Clause
// What bytes lie on which others: disks, partitions, loop devices, files behind them, mapped devices and RAID. A value, read
// from sysfs once.
#pragma once

#include "core/units.h"

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <sys/stat.h>

namespace gptgrow {

/// A block device, or a file.
struct Medium {
  bool is_device = false;
  dev_t device = 0;       // its own number; of a file, that of the file system
  ino_t inode = 0;        // of a file
  std::string path = {};  // by which a file is known; may be stale

  bool operator==(const Medium& other) const
  {
    return is_device == other.is_device && device == other.device && inode == other.inode;
  }
};

/// What `status` is of; of a file, `path` names it.
Medium medium_of(const struct stat& status, const std::string& path = {});

/// 0 where it cannot be seen.
std::uint64_t size_of_file(const std::string& path);

/// Bytes of a medium.
struct MediumPart {
  Medium medium;
  ByteRange range;
  bool is_shared = false;       // a mapped device or RAID is somewhere in it: which bytes is not known
  bool is_behind_loop = false;  // what a loop device is directly over
};

struct BlockDevice {
  dev_t number = 0;
  std::string name;  // "sdb1", without /dev/
  std::string mapped_name;
  std::uint64_t size_bytes = 0;
  bool is_partition = false;
  bool is_loop = false;
  /// Not where only a path, which may mean something else here, says what a loop device is over.
  bool is_below_certain = true;
  bool is_bcache_member = false;
  /// The disk of a partition, what a loop device is over; sizes are those of the device.
  std::optional<MediumPart> below;
  bool has_size_limit = false;  // a loop device over a part of what it is over
  std::vector<dev_t> slaves;    // of a mapped device or RAID
  std::string mapped_uuid;      // says who mapped it, and as what

  bool is_partition_of(const Medium& disk) const { return is_partition && below && below->medium == disk; }
  std::string path() const { return "/dev/" + (mapped_name.empty() ? name : "mapper/" + mapped_name); }
};

/// The disks that a file system lies on; nothing where that is not known.
using DisksBelow = std::function<std::vector<dev_t>(const Medium& file)>;

class BlockGraph {
public:
  explicit BlockGraph(std::vector<BlockDevice> devices) : devices_(std::move(devices)) {}

  const std::vector<BlockDevice>& devices() const { return devices_; }
  const BlockDevice* find(dev_t number) const;

  /// All bytes of a device, or of a file, however long that becomes.
  MediumPart whole(const Medium& medium) const;

  /// `part` first, then all bytes that it is made of: down to a file, but not to what the file's file system lies on.
  std::vector<MediumPart> made_of(const MediumPart& part) const;

  /// The same, and through file systems too, as far as `disks_below` knows them.
  std::vector<MediumPart> lies_on(const MediumPart& part, const DisksBelow& disks_below) const;

  /// The bytes of other devices that lie on any of `parts`, a result of made_of(), at any depth. Other devices that are mapped from the same
  /// disks as one of `parts` are not among them: they do not share bytes.
  std::vector<MediumPart> above(const std::vector<MediumPart>& parts, const DisksBelow& disks_below) const;

private:
  std::vector<BlockDevice> devices_;
};

/// Whether a loop device that is over something unknown may be over this file or device of `size` bytes.
bool may_be_over(const BlockDevice& loop, std::uint64_t size);

/// Whether two devices that are mapped from one disk may have bytes of it in common. Volumes of one group, and partitions of
/// one mapped disk, have not: who made them sees to it.
bool may_share(const BlockDevice& a, const BlockDevice& b);

/// Whether any byte is in both.
bool overlap(const MediumPart& a, const MediumPart& b);
bool overlap(const std::vector<MediumPart>& a, const std::vector<MediumPart>& b);

/// All block devices that the sysfs below `root` shows; none where there is no sysfs.
std::vector<BlockDevice> read_block_devices(const std::filesystem::path& root = "/");

}  // namespace gptgrow
