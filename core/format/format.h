// SPDX-License-Identifier: BSD-3-Clause
// Files that hold a disk in a form of their own. QEMU reads them; before it does, a small reader of each header (one file a
// format) refuses what could lead to another file, is encrypted, or lacks its end.
#pragma once

#include "core/source/source.h"

#include <string_view>

namespace gptgrow {

enum class DiskFormat { raw, qcow2, vmdk, vhdx, vdi, vhd };

std::string_view name_of(DiskFormat format);

/// Throws Error for anything but raw, qcow2, vmdk, vhdx, vdi, vhd.
DiskFormat parse_format(std::string_view text);

/// By the first bytes. A disk with a valid GPT header in LBA 1 is raw, whatever they are.
DiskFormat format_of(const Source& file);

// Each throws Error, which names the field, what was found and what was expected. Any bytes may be in `file`.

void check_qcow2(const Source& file);
void check_vdi(const Source& file);
void check_vhd(const Source& file);
void check_vhdx(const Source& file);

}  // namespace gptgrow
