// SPDX-License-Identifier: BSD-3-Clause
// What is in a partition that was extended, and what grows it.
#pragma once

#include "core/gpt/extend.h"
#include "core/target/contents.h"
#include "core/target/growing.h"

namespace gptgrow {

struct SlotContents {
  std::string type;     // as libblkid calls it; empty: not known
  std::string version;  // of its format; may be empty
  Growing growing;      // to be pasted into a shell
};

/// Of the partition as it was before it was extended, or is.
SlotContents contents_of_slot(const FileSource& disk, const Extension& extension, std::uint32_t sector_size_bytes);

/// "slot 3 holds ext4; to grow it: resize2fs /dev/sda3 (mounted or not)"
std::string in_words(std::uint32_t slot, const SlotContents& contents);

}  // namespace gptgrow
