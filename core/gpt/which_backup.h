// SPDX-License-Identifier: BSD-3-Clause
// Which of the tables at the end of an image is the backup of its primary.
#pragma once

#include "core/gpt/table.h"

namespace gptgrow {

/// Whether both list the same partitions of the same disk: equal DiskGUID, shape and CRC of the array.
bool is_same_table(const Header& a, const Header& b);

/// Whether `header` is as some tool wrote it: signature, HeaderSize and CRC are right.
bool has_right_crc(const Header& header);

/// Whether it is what is left of a primary header, with a signature or without.
bool is_legible(const Header& header);

/// Whether an array with the CRC that `header` names, and of its length, stands at `at`.
bool array_is_at(const Source& image, const Header& header, Lba at);

/// Whether nothing in what is left of `primary` speaks for another disk than that of `backup`.
bool may_belong(const Source& image, const FoundTable& primary, const Header& backup);

/// Partitions that the primary, damaged perhaps, still shows and `kept` lacks, as an older backup would. Entries are believed
/// where they lie in the usable area, in an array that a header with a right CRC names or whose own CRC is right; one field of
/// the header may be damaged. Precondition: there is a valid backup.
std::vector<Entry> lost_with(const Source& image, const FoundTables& found, const std::vector<Entry>& kept);

/// Fills in backup, rival and strays of `found`, whose other members are set.
void find_backup(const Source& image, FoundTables& found);

/// Adds to the strays what a use of the disk with sectors of another size has left.
void find_other_sector_size(const Source& image, FoundTables& found);

}  // namespace gptgrow
