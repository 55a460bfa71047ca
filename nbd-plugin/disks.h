// SPDX-License-Identifier: BSD-3-Clause
// What is served: one disk, or of one image a disk of each size that a client names.
#pragma once

#include "core/disk/disk_options.h"

#include <map>
#include <mutex>

namespace gptgrow {

/// Any thread may call any member.
class Disks {
public:
  /// Opens the image and checks it, and the size where one is given. Throws Error when anything is refused.
  explicit Disks(const DiskOptions& options);

  /// The disk for a client that asks for the export `name`. Where clients name the size: in bytes, digits alone; disks of one
  /// size are one object, gone with its last user. Else any name is this disk's. Throws Error when there is no such disk.
  std::shared_ptr<const Disk> open(std::string_view name);

  /// Whether clients name the size.
  bool sized_by_name() const { return !fixed_; }

  /// The disk of the given size, or else of the image's own; where that is none, of the smallest, or with a
  /// partition extended, of twice that.
  const Disk& example() const { return *example_; }

private:
  std::shared_ptr<const Source> image_;
  Reading reading_;
  std::shared_ptr<const Table> table_;
  std::shared_ptr<const Disk> example_;
  bool fixed_;
  std::mutex mutex_;
  std::map<std::uint64_t, std::weak_ptr<const Disk>> by_size_bytes_;
};

}  // namespace gptgrow
