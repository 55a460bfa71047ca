// SPDX-License-Identifier: BSD-3-Clause
// What the commands that take long have in common: progress on stderr, and an end when somebody wants one.
#pragma once

#include "core/restore/monitor.h"

#include <condition_variable>
#include <csignal>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace gptgrow {

/// While it lives, shows how far its monitor is: on a terminal a line that is drawn anew, elsewhere a line every 10 s.
/// INT, TERM and HUP, but for those that are ignored, set the monitor's stop; the same signal again ends the program. A
/// terminal that is gone ends nothing. One at a time.
class LongWork {
public:
  LongWork();
  ~LongWork();
  LongWork(const LongWork&) = delete;
  LongWork& operator=(const LongWork&) = delete;

  Monitor& monitor() { return monitor_; }

private:
  void show(std::stop_token stop);

  Monitor monitor_;
  std::vector<std::pair<int, struct sigaction>> old_actions_;
  bool on_terminal_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;  // last: it uses the others
};

}  // namespace gptgrow
