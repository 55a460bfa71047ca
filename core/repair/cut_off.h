// SPDX-License-Identifier: BSD-3-Clause
// What a run that rewrites a disk's own table has done before it was cut off. Internal to core/repair.
//
// In place, a disk is its own image: a part that was rewritten does not say any more what it was. The order of the writes keeps
// what it takes to know that, until it is not needed:
//
//   backup header, unsealed; backup array; MBR; zeros over the old backup; backup header, sealed; primary array; primary header
//
// The old primary header is there until the last write. An unsealed header is whole but for HeaderCRC32, which holds a mark: a
// CRC-32 of what the header and the MBR are to be, and of whether there was a backup to move. No other program takes such a
// header for valid; it is sealed when all is done that it stands for.
#pragma once

#include "core/repair/patched.h"

#include "core/gpt/table.h"

namespace gptgrow {

/// What HeaderCRC32 of an unsealed header holds. Never the right CRC.
std::uint32_t unsealed_mark(const Header& sealed, std::span<const std::byte> mbr, bool had_backup);

/// A header that stands in the last LBA, and was made for the backup of a primary table that is there too.
struct NewBackup {
  Header header;  // sealed
  bool is_sealed = false;
  std::uint32_t mark = 0;  // HeaderCRC32 as it stands on the disk
};

/// None where there is no such header.
std::optional<NewBackup> find_new_backup(const Source& disk, const FoundTables& tables);

/// Between the first write and the seal.
struct Unsealed {
  Header header;  // sealed
  bool had_backup = false;
  std::vector<std::byte> mbr;  // as it is to be
};

/// Precondition: the primary is valid.
std::optional<Unsealed> find_unsealed(const Source& disk, const FoundTables& tables);

/// Puts the primary's backup where it was before it moved, as `moved`, its new header, tells. Whether that can be.
bool put_moved_back(Patched& disk, const FoundTables& tables, const Header& moved);

/// The primary header as it is to be, where all but that is written: the primary array is that of the new backup already.
std::optional<Header> missing_primary_header(const Source& disk, const FoundTables& tables);

}  // namespace gptgrow
