// SPDX-License-Identifier: BSD-3-Clause
// What differs between two states of a disk: found in the bytes, then named.
#pragma once

#include "core/repair/structures.h"

#include <functional>

namespace gptgrow {

/// Bytes of which at least one differs.
struct Change {
  ByteRange range;
  std::string structure;  // "primary header", "grown area"
  std::string field;      // "AlternateLBA", "slot 5 StartingLBA"; empty: the structure, or a part without a name
  std::vector<std::byte> before;  // empty: there was nothing, or more than is worth keeping
  std::vector<std::byte> after;
  std::string before_words;
  std::string after_words;
};

/// Everything that differs between the image and `disk`, in order of place. Bytes that `disk` takes from the same place
/// of the image are not compared, they are the same ones.
std::vector<Change> changes(const Disk& disk);

/// Reads all bytes of a range that lies inside a disk.
using ReadBytes = std::function<std::vector<std::byte>(ByteRange)>;

/// Everything that writing `structures` would change on a disk of `size_bytes`, in order of place.
std::vector<Change> changes(const ReadBytes& read, std::uint64_t size_bytes, const Structures& structures);
std::vector<Change> changes(const Image& image, const Structures& structures);

}  // namespace gptgrow
