// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tests/unit/catch2.h"

#include <unistd.h>

/// Standard input is something else as long as this lives.
class Redirected {
public:
  explicit Redirected(int fd) : before_(::dup(STDIN_FILENO)) { REQUIRE(::dup2(fd, STDIN_FILENO) == STDIN_FILENO); }
  Redirected(const Redirected&) = delete;
  ~Redirected()
  {
    ::dup2(before_, STDIN_FILENO);
    ::close(before_);
  }

private:
  int before_;
};
