// SPDX-License-Identifier: BSD-3-Clause
// The partitions of a disk as the kernel has them, which may be others than those of its table.
#pragma once

#include "core/source/file_source.h"

#include <string>
#include <vector>

#include <sys/types.h>

namespace gptgrow {

struct KernelPartition {
  std::uint32_t number = 0;  // that of its slot
  dev_t device = 0;
  std::string path;
  ByteRange range;  // on the disk
};

/// None of a file.
std::vector<KernelPartition> kernel_partitions(const FileSource& disk);

/// Where the partition is mounted, as this process sees it; empty: nowhere.
std::string mount_point_of(const KernelPartition& partition);

/// Whether another block device is made of it, an array that runs for instance.
bool is_part_of_device(const KernelPartition& partition);

/// Tells the kernel how long a partition is, also while it is in use. Returns why the kernel did not take it, or nothing. Nothing,
/// too, for a file.
std::optional<std::string> resize_in_kernel(const FileSource& disk, std::uint32_t number, ByteRange range);

}  // namespace gptgrow
