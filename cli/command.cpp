// SPDX-License-Identifier: BSD-3-Clause
#include "cli/command.h"

#include "core/error.h"

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
  return app.add_option_function<std::string>("--" + key, set, help)->take_last();
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
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    throw std::system_error(errno, std::generic_category(), "standard output");
}

void complain(std::string_view text)
{
  say("gptgrow: " + std::string(text) + '\n');
}

void say(const std::string& text)
{
  (void)std::fputs(text.c_str(), stderr);
}

void add_json_option(CLI::App& app, bool& json)
{
  app.add_flag("--json", json, "For programs");
}

void add_sector_size_option(CLI::App& app, DiskOptions& options)
{
  add_key(app, options, "sector-size", "Logical sector size (default: found from the table)")->type_name("512|4096");
}

void add_disk_options(CLI::App& app, DiskOptions& options)
{
  add_sector_size_option(app, options);
  add_key(app, options, "table", "GPT to use (default: primary)")->type_name("primary|backup");
  add_key(app, options, "old-backup", "Backup GPT that is left behind (default: zero)")->type_name("zero|keep");
  add_key(app, options, "truncated", "Partitions that IMAGE has only a part of (default: refuse)")
      ->type_name("refuse|allow");
}

void add_size_options(CLI::App& app, DiskOptions& options, bool needed)
{
  CLI::Option_group* group = app.add_option_group("size");
  add_key(*group, options, "size", "Size of the disk: bytes, or with K, M, G, T, ..., KB, ..., s; +SIZE is added")
      ->type_name("SIZE");
  add_key(*group, options, "reference", "The size of this file or block device")->type_name("PATH");
  group->require_option(needed ? 1 : 0, 1);
}

}  // namespace gptgrow
