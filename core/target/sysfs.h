// SPDX-License-Identifier: BSD-3-Clause
// What the kernel says of its block devices.
#pragma once

#include <filesystem>
#include <string>

#include <sys/types.h>

namespace gptgrow {

/// The first line of a file of sysfs; empty when there is none.
std::string line_of(const std::filesystem::path& path);

/// The folder of a block device: .../block/sdb, or .../block/sdb/sdb1 for a partition.
std::filesystem::path sysfs_folder(dev_t device);

}  // namespace gptgrow
