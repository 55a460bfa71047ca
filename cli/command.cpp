// SPDX-License-Identifier: BSD-3-Clause
#include "cli/command.h"

#include <fmt/core.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>

#include <sys/ioctl.h>
#include <unistd.h>

namespace gptgrow {

namespace {

constexpr std::size_t kLeastWidth = 40;

/// The options of nbdkit's plugin, with the same names, values and messages.
CLI::Option* add_key(CLI::App& app, DiskOptions& options, const std::string& key, const std::string& help)
{
  const auto set = [&options, key](const std::string& value) { options.set(key, value); };
  return app.add_option_function<std::string>("--" + key, set, help);
}

/// As a user of `command` gives it; empty where that has no such option. Some are modes of repair, whichever command's error
/// it is; and repair has what extend has not, to make a table whole first.
std::string spell(const Hint& hint, const CLI::App* command)
{
  std::string option = "--" + hint.key + (hint.value.empty() ? "" : ' ' + hint.value);
  if (hint.key == "relocate" || hint.key == "undo")
    return "repair " + option;
  if (!command || command->get_option_no_throw("--" + hint.key))
    return option;
  return command->get_name() == "extend" && hint.key == "table" ? "first, repair --relocate " + option : "";
}

/// What `reading` differs by from how an image is read without options; each with a space before it.
std::string options_of(const Reading& reading)
{
  std::string options;
  if (reading.extend)
    options += reading.extend->number ? fmt::format(" --extend {}", *reading.extend->number) : " --extend last";
  if (reading.format)
    options += fmt::format(" --format {}", name_of(*reading.format));
  if (reading.sector_size_bytes)
    options += fmt::format(" --sector-size {}", *reading.sector_size_bytes);
  if (reading.table == TableChoice::backup)
    options += " --table backup";
  if (reading.policy.old_backup == OldBackup::keep)
    options += " --old-backup keep";
  if (reading.policy.truncated == Truncated::allow)
    options += " --truncated allow";
  return options;
}

}  // namespace

TextStyle stdout_style()
{
  TextStyle style;
  if (!::isatty(STDOUT_FILENO))
    return style;
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col != 0)
    style.width = std::max<std::size_t>(size.ws_col, kLeastWidth);
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  style.color = !(no_color && *no_color) && terminal && std::string_view(terminal) != "dumb";
  return style;
}

void print(std::string_view text)
{
  const std::string shown = for_terminal(text);
  if (std::fwrite(shown.data(), 1, shown.size(), stdout) != shown.size() || std::fflush(stdout) != 0)
    throw std::system_error(errno, std::generic_category(), "standard output");
}

void complain(std::string_view text)
{
  say("gptgrow: " + escaped(text) + '\n');
}

void complain(const std::exception& exception, const CLI::App* command)
{
  say("gptgrow: " + explain(exception, [&](const Hint& hint) { return spell(hint, command); }) + '\n');
}

void say(std::string_view text)
{
  (void)std::fputs(for_terminal(text).c_str(), stderr);
}

std::string repair_hint(const std::string& disk, const std::string& image, Reading reading)
{
  reading.extend.reset();
  return fmt::format("gptgrow repair {} --from {}{} shows how it would be mended\n", shell_word(disk),
                     shell_word(image), options_of(reading));
}

std::string verify_command(const std::string& image, const std::string& target, const Reading& reading)
{
  return fmt::format("gptgrow verify {} {}{}", shell_word(image), shell_word(target), options_of(reading));
}

void add_json_option(CLI::App& app, bool& json)
{
  app.add_flag("--json", json, "For programs");
}

void add_yes_option(CLI::App& app, int& count, const std::string& description)
{
  // Else some versions of CLI11 show the count as a default value.
  app.add_flag("--yes", count, description)->default_str("");
}

void add_format_option(CLI::App& app, DiskOptions& options)
{
  add_key(app, options, "format", "Of IMAGE's file (default: found from its first bytes)")
      ->take_last()
      ->type_name("raw|qcow2|vmdk|vhdx|vdi|vhd");
}

void add_sector_size_option(CLI::App& app, DiskOptions& options)
{
  add_key(app, options, "sector-size", "Logical sector size (default: found from the table)")
      ->take_last()
      ->type_name("512|4096");
}

void add_disk_options(CLI::App& app, DiskOptions& options)
{
  add_format_option(app, options);
  add_sector_size_option(app, options);
  add_key(app, options, "table", "GPT to use (default: primary)")->take_last()->type_name("primary|backup");
  add_key(app, options, "old-backup", "Backup GPT that is left behind (default: zero)")
      ->take_last()
      ->type_name("zero|keep");
  add_key(app, options, "truncated", "Partitions that IMAGE has only a part of (default: refuse)")
      ->take_last()
      ->type_name("refuse|allow");
}

void add_extend_option(CLI::App& app, DiskOptions& options)
{
  add_key(app, options, "extend", "Make this partition longer, up to the end of the disk")->type_name("SLOT|last");
}

void add_size_options(CLI::App& app, DiskOptions& options, bool needed)
{
  CLI::Option_group* group = app.add_option_group("size");
  add_key(*group, options, "size", "Size of the disk: bytes, or with K, M, G, T, ..., KB, ..., s; +SIZE is added; min")
      ->type_name("SIZE");
  add_key(*group, options, "reference", "The size of this file or block device")->type_name("PATH");
  group->require_option(needed ? 1 : 0, 1);
}

}  // namespace gptgrow
