// SPDX-License-Identifier: BSD-3-Clause
// What is behind a path: the same disk under other names, and what it is.
#pragma once

#include "core/source/file_source.h"

#include <sys/types.h>

namespace gptgrow {

/// Whether both are the same file or device, under whatever name, or one is made of the other: a partition of it, a loop
/// device over it, a mapped device or RAID above it, at any depth. Not whether one lies in a file system on the other:
/// relation_of() tells that.
bool same_medium(const Image& a, const Image& b);

/// What the kernel says of a block device: model and serial number, where it knows them; or the file behind a loop device.
std::string hardware_name(dev_t device);

bool is_partition(dev_t device);

}  // namespace gptgrow
