// SPDX-License-Identifier: BSD-3-Clause
// Less of something than the machine has, as long as this object lives.
#pragma once

#include "tests/unit/catch2.h"

#include <csignal>

#include <sys/resource.h>
#include <unistd.h>

class Limit {
public:
  Limit(decltype(RLIMIT_NOFILE) resource, rlim_t most) : resource_(resource)
  {
    REQUIRE(::getrlimit(resource_, &before_) == 0);
    const struct rlimit now {
      most, before_.rlim_max
    };
    REQUIRE(::setrlimit(resource_, &now) == 0);
  }
  Limit(const Limit&) = delete;
  ~Limit() { (void)::setrlimit(resource_, &before_); }

private:
  decltype(RLIMIT_NOFILE) resource_;
  struct rlimit before_ {};
};

/// No file can be made longer than `size_bytes`: EFBIG, without a signal.
class FileSizeLimit {
public:
  explicit FileSizeLimit(rlim_t size_bytes) : old_(std::signal(SIGXFSZ, SIG_IGN)), limit_(RLIMIT_FSIZE, size_bytes) {}
  FileSizeLimit(const FileSizeLimit&) = delete;
  ~FileSizeLimit() { std::signal(SIGXFSZ, old_); }

private:
  void (*old_)(int);
  Limit limit_;
};

/// Calls `act`, which opens descriptors, with room for none, for one, and so on, until it does not throw `Failure` any more. Returns how
/// often it did.
template <typename Failure, typename Act>
int for_each_lack_of_descriptors(Act act)
{
  for (int room = 0;; ++room) {
    const int lowest = ::dup(STDERR_FILENO);
    ::close(lowest);
    try {
      const Limit limit(RLIMIT_NOFILE, static_cast<rlim_t>(lowest + room));
      act();
      return room;
    } catch (const Failure&) {
      REQUIRE(room < 100);
    }
  }
}
