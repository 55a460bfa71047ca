// SPDX-License-Identifier: BSD-3-Clause
// What a fuzzer calls a promise.
#pragma once

#include <cstdio>
#include <cstdlib>

inline void require(bool condition, const char* what)
{
  if (condition)
    return;
  std::fprintf(stderr, "broken promise: %s\n", what);
  std::abort();
}

#define REQUIRE(condition) require(condition, #condition)
