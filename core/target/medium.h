// SPDX-License-Identifier: BSD-3-Clause
// What is behind a path: the same disk under other names, and what it is.
#pragma once

#include "core/source/source.h"

#include <sys/stat.h>

namespace gptgrow {

/// Whether both are the same file or device, under whatever name, or one is made of the other: a partition of it, a loop
/// device over it, a mapped device or RAID above it, at any depth. Not whether one lies in a file system on the other:
/// relation_of() tells that.
bool same_medium(const Source& a, const Source& b);

/// Of the file or device that a source is named by; none where it is neither.
std::optional<struct stat> status_of(const Source& source);

/// What tells a source from another one of the same size and version: the time when anything of a file was changed, also its
/// name; of a device, its hardware_name().
std::string identity_of(const Source& source);

/// Of a file that becomes a copy of `source`: who may not read the one may not read the other. A device's group means nothing
/// elsewhere.
mode_t mode_of_copy(const Source& source);

/// What the kernel says of a block device: model and serial number, where it knows them; or the file behind a loop device.
std::string hardware_name(dev_t device);

/// What tells a block device from what had its name before: hardware_name(), size, and the kernel's count of disks.
std::string device_identity(dev_t device);

bool is_partition(dev_t device);

}  // namespace gptgrow
