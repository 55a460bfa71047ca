// SPDX-License-Identifier: BSD-3-Clause
// The undo file: what repair overwrote and what it wrote, as text, so that a person can put it back by hand too.
//
//   gptgrow undo 1
//   disk_size_bytes 68719476736
//   sector_size_bytes 512
//   write 512 primary header        byte offset, name
//   before 4546...                  hex
//   after 4546...
//   ... more writes, in the order in which they were done, a place perhaps twice
//   crc32 0x1234abcd                of every byte before this line
#pragma once

#include "core/repair/repair.h"

namespace gptgrow {

struct Undo {
  std::uint64_t disk_size_bytes = 0;
  std::uint32_t sector_size_bytes = 0;
  std::vector<Write> writes;
};

/// Writes a new file, durable with its name when this returns. Throws Error when `path` exists, or load_undo() would not take
/// what would be in it.
void save_undo(const std::string& path, const Undo& undo);

/// Throws Error when the file is damaged, cut off, no undo file, or one that no repair has written.
Undo load_undo(const std::string& path);

/// What is in such a file. `path` is for messages.
std::string undo_text(const Undo& undo);
Undo parse_undo(const std::string& path, std::string_view text);

/// The writes that put back what was before, last write first. Throws Error when `disk` has another size, or holds
/// anything but what was before or after a write, in units of 512 bytes: a repair that was cut off can be undone too.
std::vector<Write> plan_undo(const Source& disk, const Undo& undo);

}  // namespace gptgrow
