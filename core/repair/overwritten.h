// SPDX-License-Identifier: BSD-3-Clause
// Data that a partition table was written over: a tool's array may be larger than the image's, or lie elsewhere.
#pragma once

#include "core/disk/disk.h"

namespace gptgrow {

/// Bytes of a disk that are not the image's, where a table is or may have been. Whole units of 512 bytes.
struct Overwritten {
  ByteRange range;
  std::uint32_t slot = 0;   // of the image's partition that they belong to; 0: of none
  std::string where;        // "slot 1", "an Apple partition map", "data in no partition"
  bool is_in_file = false;  // the image is a file or device that has its bytes there at the same offset
};

/// Compares `disk`, which holds `tables`, with what `served` has of its image there: at the headers and arrays that
/// `tables` name, and at the usual places of a table of 16 KiB at both ends of the disk. Left out is what `served` has of
/// its own (its tables) and, outside partitions, what is zeros in the image: nothing of it can be lost. In order of place.
/// Precondition: `served` is of the size of `disk`.
std::vector<Overwritten> overwritten(const Source& disk, const FoundTables& tables, const Disk& served);

}  // namespace gptgrow
