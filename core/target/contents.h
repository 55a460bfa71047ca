// SPDX-License-Identifier: BSD-3-Clause
// What a disk holds before it is overwritten, of any kind that libblkid knows.
#pragma once

#include "core/source/file_source.h"

#include <cstdint>
#include <string>
#include <vector>

namespace gptgrow {

/// The bytes by which a file system, RAID, LVM or swap space is recognized.
struct Signature {
  ByteRange range;
  std::string type;     // "ext4", "linux_raid_member"
  std::string label;    // safe on a terminal; may be empty
  std::string version;  // of its format, "1.0"; may be empty
};

struct PresentPartition {
  int number = 0;
  ByteRange range;
  std::string type;   // of what is in it; empty when unknown
  std::string label;  // of that, else of the partition; safe on a terminal; may be empty
};

struct Contents {
  std::string table_type;                    // "gpt", "dos"; empty: none
  std::string type;                          // of what is on the disk as a whole, else empty
  std::vector<PresentPartition> partitions;  // in the table's order
  std::vector<Signature> signatures;         // on the disk as a whole, then in each partition; no partition tables
};

/// What a partition holds, as libblkid calls it.
struct Inside {
  std::string type;                // "ext4", "LVM2_member"; empty: nothing that it knows
  std::string version;             // of its format; may be empty
  bool is_found_from_end = false;  // not any more, where the partition is longer
};

/// `range` of a disk is the partition, `longer` what it becomes, or has become; they begin at the same byte.
Inside what_is_in(const FileSource& disk, ByteRange range, ByteRange longer);

/// `sector_size_bytes` is for a file; a device has its own. Damage and hostile bytes are no error: what libblkid does not
/// know is not listed. Failed system calls are std::system_error.
Contents contents_of(const FileSource& disk, std::uint32_t sector_size_bytes);

}  // namespace gptgrow
