// SPDX-License-Identifier: BSD-3-Clause
// What differs between two states of a disk: found in the bytes, then named.
#pragma once

#include "core/disk/disk.h"

#include <functional>

namespace gptgrow {

/// Bytes of which at least one differs.
struct Change {
  ByteRange range;
  std::string structure;  // "primary header", "grown area"
  std::string field;      // "AlternateLBA", "slot 5 StartingLBA"; empty: the structure, or a part without a name
  std::vector<std::byte> before;  // the first 1024 at most; empty: there was nothing
  std::vector<std::byte> after;   // the same
  std::string before_words;
  std::string after_words;
};

/// Everything that differs between the image and `disk`, in order of place. Bytes that `disk` takes from the same place
/// of the image are not compared, they are the same ones.
std::vector<Change> changes(const Disk& disk);

/// Everything that writing `gpt` to `disk` would change, in order of place.
std::vector<Change> changes(const Source& disk, const Gpt& gpt);

/// Everything that writing the table of `wanted` to `disk`, which has its size, would change, but for what becomes of an old
/// backup. In order of place, one after the other: a large array may have a million.
void for_each_change(const Source& disk, const Disk& wanted, const std::function<void(const Change&)>& use);

}  // namespace gptgrow
