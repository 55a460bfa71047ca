// SPDX-License-Identifier: BSD-3-Clause
// The words of a command line, before anything is done with them.
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace gptgrow {

/// Parses `words`, the command line without the program's name. False: help or version was asked for, and is printed.
/// Throws Error, which says what is wrong: no such command, an empty word anywhere, an empty value, a value for an option
/// that takes none, a name given twice, "-" as a file, and all that CLI11 finds.
bool parse_arguments(CLI::App& app, const std::vector<std::string>& words);

/// The parts of a list: "1,2,4" as {"1", "2", "4"}. Empty parts stay.
std::vector<std::string> split_list(const std::vector<std::string>& lists);

}  // namespace gptgrow
