// SPDX-License-Identifier: BSD-3-Clause
// All of a disk but its table.
#pragma once

#include "core/restore/checkpoints.h"
#include "core/restore/free_space.h"

namespace gptgrow {

class Filling {
public:
  /// What `map` has is done already. An empty `map_path`: it is not saved. All must outlive this.
  Filling(const Disk& disk, DeviceTarget& target, FreeSpace free_space, const std::string& map_path, ProgressMap& map,
          Monitor& monitor);

  /// Holes, free space, data, in this order; durable when this returns. False: stopped. Not to be called twice.
  bool run();

  /// After run(): what should be given back to the device, and is left as it was.
  std::optional<ByteRange> free_space_left() const { return free_space_left_; }

private:
  bool zero_holes();
  bool free_free_space();
  bool copy();

  const Disk& disk_;
  DeviceTarget& target_;
  FreeSpace free_space_;
  ProgressMap& map_;
  Monitor& monitor_;
  Checkpoints checkpoints_;
  std::optional<ByteRange> free_space_left_;
};

}  // namespace gptgrow
