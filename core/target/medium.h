// SPDX-License-Identifier: BSD-3-Clause
// What is behind a path: the same disk under other names, what it is, and who uses it.
#pragma once

#include "core/image.h"

#include <sys/types.h>

namespace gptgrow {

/// Whether both are the same file or device, under whatever name, or one is made of the other: a partition of it, a loop
/// device over it, a mapped device or RAID above it, at any depth. What another file system hands on under a name of its own
/// (overlayfs, FUSE) cannot be told.
bool same_medium(const Image& a, const Image& b);

/// The loop device over this open file or device ("/dev/loop0"); empty when there is none.
std::string loop_device_over(int fd);

/// Who holds a block device or one of its partitions: "/dev/sdb1 is mounted on /mnt", a sentence each. Empty when nobody
/// can be found.
std::vector<std::string> holders(dev_t device);

/// What the kernel says of a block device: model and serial number, where it knows them; or the file behind a loop device.
std::string hardware_name(dev_t device);

bool is_partition(dev_t device);

}  // namespace gptgrow
