// SPDX-License-Identifier: BSD-3-Clause
// A disk and a larger one that was made of it, compared.
#pragma once

#include "core/compare/compare.h"
#include "tests/unit/memory_source.h"
#include "tests/unit/test_disk.h"

inline constexpr std::uint64_t kGrownSectors = 700;

inline TestDisk disk_with_gap()
{
  return {.entries = {{1, 64, 79, 1}, {2, 200, 259, 2}, {5, 80, 95, 5}, {6, 96, 199, 6}}};
}

inline TestDisk grown(TestDisk disk)
{
  disk.sectors = disk.disk_end = kGrownSectors;
  return disk;
}

inline gptgrow::Comparison compared(const std::vector<std::byte>& a, const std::vector<std::byte>& b)
{
  return gptgrow::compare(in_memory(a), in_memory(b), std::nullopt);
}

inline std::vector<gptgrow::Trace> traces(const std::vector<std::byte>& a, const std::vector<std::byte>& b)
{
  std::vector<gptgrow::Trace> traces;
  for (const gptgrow::Finding& finding : compared(a, b).findings)
    traces.push_back(finding.trace);
  return traces;
}

inline std::vector<gptgrow::Trace> traces(const TestDisk& a, const TestDisk& b)
{
  return traces(a.bytes(), b.bytes());
}
