// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/format/format.h"

namespace gptgrow {

/// Opens what a user calls an image, or a disk that is only looked at: a file or block device, the disk inside a file of a form of
/// its own, or an NBD server's export. Throws Error for anything else. Without `format`, it is that of a file's first bytes; a block
/// device is raw then.
std::shared_ptr<const Source> open_source(const std::string& name, std::optional<DiskFormat> format = {});

}  // namespace gptgrow
