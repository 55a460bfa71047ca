// SPDX-License-Identifier: BSD-3-Clause
// What long work tells while it goes on, and how it is stopped. All members may be used by several threads.
#pragma once

#include "core/source/source.h"

#include <atomic>
#include <cstdint>

namespace gptgrow {

struct Monitor {
  enum class Phase { preparing, reading, copying, writing_table, verifying };

  std::atomic<Phase> phase = Phase::preparing;
  std::atomic<std::uint64_t> done_bytes = 0;   // of this phase
  std::atomic<std::uint64_t> total_bytes = 0;  // 0: not known
  std::atomic<std::uint64_t> made_bytes = 0;   // what came out of these, where that is something else
  std::atomic<bool> stop = false;              // set by whoever wants the work to end soon

  void begin(Phase next, std::uint64_t total)
  {
    done_bytes = 0;
    made_bytes = 0;
    total_bytes = total;
    phase = next;
  }
};

/// While this is there, who reads `source` does not wait for a server once `monitor` says stop.
class StopsWaiting {
public:
  StopsWaiting(const Source& source, const Monitor& monitor) : source_(source)
  {
    source_.stop_waiting_when(&monitor.stop);
  }
  ~StopsWaiting() { source_.stop_waiting_when(nullptr); }
  StopsWaiting(const StopsWaiting&) = delete;
  StopsWaiting& operator=(const StopsWaiting&) = delete;

private:
  const Source& source_;
};

}  // namespace gptgrow
