// SPDX-License-Identifier: BSD-3-Clause
// What is said about tables: what is wrong, what differs, what else lies on the disk. For
// those who show a table that is not served; choose_table() says all of it for one that is.
#pragma once

#include "core/gpt/table.h"

#include <fmt/format.h>

#include <string_view>

namespace gptgrow {

/// How the text begins that stands in the place of the primary header while a restore is unfinished.
inline constexpr std::string_view kUnfinishedRestore = "unfinished restore by gptgrow, ";

/// Warnings of one kind that are listed one by one; a hostile table could bring a hundred thousand.
inline constexpr std::size_t kMaxWarnings = 32;

std::string describe(const Problem& problem);
std::string describe(const FoundTable& table);  // the first problem; there is one

/// Whether the backup's array stands behind the primary's.
bool is_behind(const Header& backup, const Header& primary);

/// How a valid backup that is no mirror differs, field by field and slot by slot.
void report_differences(const FoundTable& primary, const FoundTable& backup, std::vector<std::string>& warnings);

/// What the entries say that UEFI does not allow, though it can be served.
void check_entries(const Table& table, std::vector<std::string>& warnings);

/// Valid tables that are not this disk's, or not of today, and an empty table beside one that is not. `table` is the one
/// that counts; none: there is none, and only the strays are told.
std::vector<std::string> stray_warnings(const FoundTables& found, const Table* table);

/// What keeps other tools from seeing the GPT at all.
std::vector<std::string> mbr_warnings(const Source& image);

}  // namespace gptgrow
