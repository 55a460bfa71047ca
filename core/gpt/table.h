// SPDX-License-Identifier: BSD-3-Clause
// The two GPTs of an image: what is there, what is wrong with it, and which one counts.
#pragma once

#include "core/gpt/entry.h"
#include "core/gpt/header.h"
#include "core/source/source.h"

#include <optional>

namespace gptgrow {

/// A header and its partition entry array as they stand on an image, right or wrong.
struct FoundTable {
  Lba at;                         // the header's place
  Header header;                  //
  EntryArray array;               // verbatim; empty where the header does not lead to one
  std::vector<Problem> problems;  // the header's, then the array's; empty: valid

  bool valid() const { return problems.empty(); }
};

/// What an image holds.
struct FoundTables {
  std::uint32_t sector_size_bytes = 0;
  bool sector_size_was_given = false;
  Lba last_lba;                      // of the image: its last whole sector
  FoundTable primary;                //
  std::optional<FoundTable> backup;  // a valid one, else one with a signature, else none
  std::optional<FoundTable> rival;   // as valid, and nothing tells which of the two is the backup of this disk
  std::vector<FoundTable> strays;    // other valid tables: of another disk, older, or for sectors of another size
};

/// Reads the table whose header is at `at`, right or wrong. Its array is `known`'s own where they are the same.
/// Precondition: that sector lies inside the image.
FoundTable read_table(const Source& image, std::uint32_t sector_size_bytes, Lba at, const FoundTable* known = nullptr);

/// Reads both tables of `image`; damage is no error. Without `sector_size_bytes`, 512 and 4096 are tried, in this order
/// (a device's own first): the first with a valid primary counts, else with a header whose CRC is right and a valid
/// backup, else with such a header, else with a valid backup, else with a signature.
/// The backup is looked for in the last LBA and where the primary header says, even one that has lost its signature. Of two
/// valid ones that differ, the one wins for which more speaks: the DiskGUID of the primary header, and its array: by its CRC,
/// where the header's own is right, else by the array that stands on the disk. Of two that are the same, a valid primary's
/// own wins, else the one in the last LBA.
/// Throws Error when the image is too short to hold a GPT.
FoundTables find_tables(const Source& image, std::optional<std::uint32_t> sector_size_bytes);

/// The sectors that hold a header, right or wrong.
std::vector<ByteRange> header_places(const FoundTables& found);

enum class TableChoice { primary, backup };

/// The table that counts, checked.
struct Table {
  std::uint32_t sector_size_bytes = 0;
  Header primary;                // the image's own, or rebuilt from the backup
  EntryArray array;              // verbatim, NumberOfPartitionEntries * SizeOfPartitionEntry bytes
  Lba array_source_lba;          // where the array's sectors stand in the image
  std::optional<Header> backup;  // the image's own, when it is a valid backup of this table
  std::vector<std::string> warnings;

  std::vector<Entry> used_entries() const { return gptgrow::used_entries(array, primary.entry_size_bytes()); }
};

/// Picks the table to serve. Throws Error when it is not valid, or when it is a backup that has a rival; the message says
/// when the other one is valid, and what else explains it.
Table choose_table(const Source& image, const FoundTables& found, TableChoice choice);

/// What explains that an image has no valid primary table, a sentence each: a restore that was stopped, a file that lacks
/// its first sector or has too many.
std::vector<std::string> explain_damage(const Source& image, const FoundTables& found);

/// Of each used entry that reaches past `last_lba`, the last one of the file, a sentence.
std::vector<std::string> missing_data(const Table& table, Lba last_lba);

/// "LBA 4095: DiskGUID ..., 2 partitions: slot 1 LBA 64-127, ..."
std::string describe_contents(const FoundTable& table);

/// The warning that a disk with sectors of another size will not show this table, when they differ.
std::optional<std::string> sector_size_warning(const Table& table, std::uint32_t context_sector_size_bytes);

/// Whether `backup` is the primary's mirror: valid, at its AlternateLBA, and equal in all that the two have in common.
bool mirrors(const FoundTable& primary, const FoundTable& backup);

}  // namespace gptgrow
