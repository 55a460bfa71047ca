// SPDX-License-Identifier: BSD-3-Clause
// A small GPT disk in memory, served in another size.
#pragma once

#include "core/disk/disk.h"
#include "tests/unit/memory_source.h"
#include "tests/unit/test_disk.h"

/// 512 sectors: slot 1 (LBA 48-99), slot 3 (LBA 200-399).
inline TestDisk two_partitions()
{
  TestDisk disk;
  disk.entries = {{1, 48, 99, 1}, {3, 200, 399, 3}};
  return disk;
}

inline gptgrow::Disk served(std::vector<std::byte> image, std::uint64_t size_bytes,
                            const gptgrow::Reading& reading = {})
{
  return gptgrow::Disk(in_memory(std::move(image)), {size_bytes}, reading);
}
