// SPDX-License-Identifier: BSD-3-Clause
// What there is to say about a disk: both tables and what is wrong with them, slots, partitions, the disk in physical
// order. The same for a disk on file and for a disk that is only planned.
#pragma once

#include "core/disk/disk.h"
#include "core/gpt/mbr.h"
#include "core/report/known_layout.h"
#include "core/report/text_style.h"

#include <functional>
#include <string_view>

namespace gptgrow {

enum class SlotState {
  used,
  empty,
  junk,  // without a type, so unused, but not all zeros
};

/// One stretch of the disk, inclusive. Stretches of a sound disk follow each other without a gap; those of a damaged
/// one may overlap or reach past its end.
struct Segment {
  Role role = Role::free_space;  // part of a table; content: a partition; else free
  Lba first_lba;
  Lba last_lba;
  std::uint32_t slot = 0;  // of a partition
};

struct Inspection {
  std::string path;
  std::uint64_t size_bytes = 0;
  FoundTables tables;
  std::optional<TableChoice> table;        // the one that counts; none is valid without it, and all below is empty
  std::vector<std::byte> mbr;              // the first 512 bytes
  std::vector<SlotState> slots;            // [0] is slot 1
  std::vector<std::uint32_t> empty_slots;  // those before the last used one
  std::vector<Entry> partitions;           // in slot order
  std::vector<Segment> segments;           // in physical order
  std::optional<KnownLayout> layout;
  std::vector<std::string> warnings;

  /// The table that counts. Precondition: there is one.
  const FoundTable& chosen() const { return *table == TableChoice::primary ? tables.primary : *tables.backup; }
};

/// Looks at a disk on file. Damage is no error, nor is a file that is too short to hold a GPT.
Inspection inspect(const Source& image, std::optional<std::uint32_t> sector_size_bytes);

/// Looks at the disk that is served.
Inspection inspect(const Disk& disk);

/// For people: ends with a newline. Names from the disk are escaped.
std::string to_text(const Inspection& inspection, const TextStyle& style);

/// For programs: an object, indented, ASCII only, ends with a newline. Written piece by piece: a large array makes a long text.
void write_json(const Inspection& inspection, const std::function<void(std::string_view)>& write);

}  // namespace gptgrow
