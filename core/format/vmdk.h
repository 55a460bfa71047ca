// SPDX-License-Identifier: BSD-3-Clause
// VMDK: a descriptor, a text that lists extents, in a file of its own or inside the one extent. VMware's Virtual Disk Format 5.0,
// whose names the fields have. Numbers are little-endian.
#pragma once

#include "core/source/source.h"

namespace gptgrow {

inline constexpr std::uint64_t kVmdkSectorBytes = 512;

struct VmdkExtent {
  std::uint64_t sectors = 0;
  bool is_sparse = false;
  std::string file;                  // a plain name, in the descriptor's folder
  std::uint64_t offset_sectors = 0;  // in it; of a flat one
};

/// Whether `file` is a descriptor alone.
bool is_vmdk_descriptor(const Source& file);

/// What a descriptor lists, of a disk that needs no other. Throws Error, also for an extent with a path.
std::vector<VmdkExtent> read_vmdk_descriptor(const Source& file);

/// Throws Error for a sparse extent that needs another file or lacks its end. `extent`: the descriptor's word for it; none: the
/// file has all of a disk in it.
void check_vmdk_sparse(const Source& file, const VmdkExtent* extent);

/// Throws Error for a flat extent that lacks its end.
void check_vmdk_flat(const Source& file, const VmdkExtent& extent);

/// A descriptor that lists the same extents under other names, one for each.
std::string vmdk_descriptor(const std::vector<VmdkExtent>& extents, const std::vector<std::string>& names);

}  // namespace gptgrow
