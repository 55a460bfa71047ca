// SPDX-License-Identifier: BSD-3-Clause
// The space of a file system for what will be written to a file, taken before the first byte is.
#pragma once

#include "core/target/target.h"

#include <boost/icl/interval_set.hpp>

namespace gptgrow {

class TakenSpace {
public:
  /// `target` is a file, and must outlive this.
  explicit TakenSpace(DeviceTarget& target) : target_(target) {}

  /// Takes the space for all of `ranges` that has none yet. std::system_error (ENOSPC) when there is not enough, which is
  /// asked before anything is taken. Does nothing where a file system takes no space in advance: how much it has then
  /// says little, since it may compress. False: the monitor's stop was set.
  bool take(const std::vector<ByteRange>& ranges, const std::atomic<bool>& stop);

  /// Makes what take() took holes again, and nothing else.
  void give_back() noexcept;

private:
  using Ranges = boost::icl::interval_set<std::uint64_t>;

  void check_room(std::uint64_t needed_bytes) const;
  bool allocate(ByteRange range);

  DeviceTarget& target_;
  Ranges taken_;
};

}  // namespace gptgrow
