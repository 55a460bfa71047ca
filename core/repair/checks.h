// SPDX-License-Identifier: BSD-3-Clause
// What must be so before a table is written. Internal to core/repair.
#pragma once

#include "core/gpt/gpt.h"
#include "core/gpt/table.h"

namespace gptgrow {

/// The primary, or the backup where that one is damaged. Throws Error when neither is valid, or nothing tells of two backups
/// which one is this disk's.
const FoundTable& table_that_counts(const Source& disk, const FoundTables& tables);

/// Throws Error for a backup that the damaged primary speaks against, or beside which there is another one.
void check_own_backup(const Source& disk, const FoundTables& tables);

/// Throws Error when a partition would be lost that the damaged primary table still shows.
void check_nothing_lost(const Source& disk, const FoundTables& tables, const std::vector<Entry>& kept,
                        const std::vector<std::uint32_t>& replaced_slots);

/// Throws Error when data of a partition would be written over.
void check_writes_no_data(const Source& disk, const std::vector<const Structure*>& structures,
                          const std::vector<Entry>& entries, std::uint32_t sector_size_bytes);

/// Throws Error when the table that is rewritten first would hurt the one that has to survive that.
void check_survivor(const Source& disk, const FoundTable& survivor, const std::vector<const Structure*>& first);

/// Throws Error when the disk's own sectors are of another size.
void check_whole_sectors(const Source& disk, std::uint32_t sector_size_bytes);

}  // namespace gptgrow
