// SPDX-License-Identifier: BSD-3-Clause
// By what an image is recognized, and a change of it noticed.
#pragma once

#include "core/disk/disk.h"

namespace gptgrow {

/// Of a file the time of its last change; of a device, which knows no such time, a checksum over a sample: its two ends,
/// the first bytes of each partition, where file systems note each use, and blocks all over it. A change of a device that
/// the sample does not meet goes unnoticed.
std::string content_state(const Disk& disk);

/// Size, `state` as content_state() tells it, and for a file the time of its inode's last change, for a device what the kernel calls it.
std::string image_identity(const Disk& disk, const std::string& state);

}  // namespace gptgrow
