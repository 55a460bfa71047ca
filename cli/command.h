// SPDX-License-Identifier: BSD-3-Clause
// What the commands share: exit statuses, output, options that several have.
#pragma once

#include "core/disk/disk_options.h"
#include "core/error.h"
#include "core/report/text_style.h"

#include <CLI/CLI.hpp>

#include <functional>

namespace gptgrow {

/// Exit statuses, as cmp(1).
enum class Exit {
  same = 0,     // or done
  differs = 1,  // or would change
  trouble = 2,
};

/// A command that was chosen, with its options. Errors are exceptions.
using Run = std::function<Exit()>;

/// Each adds one command to `app`; parsing it sets `run`, which must live as long as `app`.
void add_extend(CLI::App& app, Run& run);
void add_inspect(CLI::App& app, Run& run);
void add_plan(CLI::App& app, Run& run);
void add_compare(CLI::App& app, Run& run);
void add_repair(CLI::App& app, Run& run);
void add_restore(CLI::App& app, Run& run);
void add_verify(CLI::App& app, Run& run);

/// As wide as the terminal, in colour unless NO_COLOR is set; 80 columns without colour where stdout is no terminal.
TextStyle stdout_style();

// Everything that is printed passes these: but for emphasize()'s marks and newlines, no control character reaches a terminal.

/// Writes to stdout at once. Failure is std::system_error.
void print(std::string_view text);

/// Writes to stderr. A terminal that is gone is no error.
void say(std::string_view text);

/// Writes a line to stderr, after the program's name. A newline in it is made visible.
void complain(std::string_view text);

/// The same with what was thrown, and the options that would help: those that `command` has, where that is known.
void complain(const std::exception& exception, const CLI::App* command = nullptr);

/// The command that shows how `disk` would get the table of `image` back, which is read as `reading` says, to be pasted.
std::string repair_hint(const std::string& disk, const std::string& image, Reading reading);

/// The command that compares all of `target` with `image`, as `reading` says, to be pasted.
std::string verify_command(const std::string& image, const std::string& target, const Reading& reading);

// What these add sets its last argument, which must live as long as `app`.

void add_json_option(CLI::App& app, bool& json);
void add_format_option(CLI::App& app, DiskOptions& options);
void add_sector_size_option(CLI::App& app, DiskOptions& options);

/// Counts how often it is given.
void add_yes_option(CLI::App& app, int& count, const std::string& description);

/// --format, --sector-size, --table, --old-backup and --truncated.
void add_disk_options(CLI::App& app, DiskOptions& options);

/// --extend, of what is served or restored.
void add_extend_option(CLI::App& app, DiskOptions& options);

/// --size and --reference, at most one of them; `needed`: exactly one.
void add_size_options(CLI::App& app, DiskOptions& options, bool needed);

}  // namespace gptgrow
