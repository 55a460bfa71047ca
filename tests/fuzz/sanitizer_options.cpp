// SPDX-License-Identifier: BSD-3-Clause
// Memory that was given back is watched for a while, and where it came from is kept, but no more of both than is of use: that is
// half of the time.

extern "C" __attribute__((visibility("default"))) const char* __asan_default_options()
{
  return "quarantine_size_mb=8:malloc_context_size=4";
}
