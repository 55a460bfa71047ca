// SPDX-License-Identifier: BSD-3-Clause
// A disk inside a file of a form of its own, read by a private qemu-nbd.
#pragma once

#include "core/format/format.h"
#include "core/source/file_source.h"

namespace gptgrow {

/// Opens the disk inside `file`, and what else it lies in. Throws Error for what its header gives away, before QEMU is started, and
/// for what QEMU refuses. Precondition: `format` is not raw.
std::shared_ptr<const Source> open_disk_file(std::shared_ptr<const FileSource> file, DiskFormat format);

}  // namespace gptgrow
