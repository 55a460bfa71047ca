// SPDX-License-Identifier: BSD-3-Clause
// What is written becomes durable now and then, and is noted.
#pragma once

#include "core/restore/monitor.h"
#include "core/restore/progress_map.h"
#include "core/target/target.h"

#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

namespace gptgrow {

/// While it lives, flushes the target every few seconds, and saves the map of what was written before that. What fails
/// there sets the monitor's stop, and comes out of finish(). The map may be read without a lock while no thread adds to it.
class Checkpoints {
public:
  /// An empty `path`: the map is not saved. All must outlive this.
  Checkpoints(DeviceTarget& target, const std::string& path, ProgressMap& map, Monitor& monitor);

  /// `range` is written. Any thread may call.
  void add(ByteRange range);

  /// Flushes and saves for the last time. Throws what failed, now or before.
  void finish();

private:
  void run(std::stop_token stop) noexcept;
  void save();

  DeviceTarget& target_;
  const std::string& path_;
  ProgressMap& map_;
  Monitor& monitor_;
  std::mutex mutex_;  // of map_
  std::condition_variable_any wake_;
  std::exception_ptr error_;
  std::jthread thread_;  // last: it uses the others
};

}  // namespace gptgrow
