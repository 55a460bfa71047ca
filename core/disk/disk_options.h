// SPDX-License-Identifier: BSD-3-Clause
// What a user asks for, in the words that all front ends share.
#pragma once

#include "core/disk/disk.h"

#include <string_view>

namespace gptgrow {

struct DiskOptions {
  std::string file;
  std::string size;       // exactly one of these two is set
  std::string reference;  // the size of this file or block device
  Reading reading;

  /// Sets file, size, reference, extend, format, sector-size, table, old-backup or truncated. Returns false for any other key;
  /// throws Error for a value that the key does not take, and for a second file, size, reference or extend.
  bool set(std::string_view key, std::string_view value);
};

/// The size asked for. Throws Error unless exactly one of size and reference is set, or when that has none.
WantedSize wanted_size(const DiskOptions& options, const Source& image);

/// Opens the image. Throws Error when anything is refused.
Disk open_disk(const DiskOptions& options);

}  // namespace gptgrow
