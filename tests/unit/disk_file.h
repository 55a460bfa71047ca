// SPDX-License-Identifier: BSD-3-Clause
// A small GPT disk in a file, served larger.
#pragma once

#include "core/disk.h"
#include "tests/unit/temporary_file.h"
#include "tests/unit/test_disk.h"

/// 512 sectors: slot 1 (LBA 48-99), slot 3 (LBA 200-399).
inline TestDisk two_partitions()
{
  TestDisk disk;
  disk.entries = {{1, 48, 99, 1}, {3, 200, 399, 3}};
  return disk;
}

inline void write_all(const TemporaryFile& file, const std::vector<std::byte>& bytes)
{
  file.write(0, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

inline gptgrow::Disk disk_of(const TemporaryFile& file, std::uint64_t size_bytes, const gptgrow::Reading& reading = {})
{
  return gptgrow::Disk(gptgrow::Image(file.path()), {size_bytes}, reading);
}
