// SPDX-License-Identifier: BSD-3-Clause
#include "core/target/mount_table.h"

#include <charconv>

#include <sys/sysmacros.h>

namespace gptgrow {

namespace {

/// What comes before the next `separator`, which is taken away with it.
std::string_view take_until(std::string_view& rest, char separator)
{
  const std::size_t end = rest.find(separator);
  const std::string_view taken = rest.substr(0, end);
  rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
  return taken;
}

template <typename Number>
bool read_number(std::string_view text, Number& number)
{
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

bool is_octal(std::string_view digits)
{
  return digits.size() == 3 && digits[0] <= '3' && digits.find_first_not_of("01234567") == digits.npos;
}

/// A backslash stands before a character of a name that would mean something to overlayfs.
std::vector<std::string> split_folders(std::string_view list, char separator)
{
  std::vector<std::string> folders(1);
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (list[i] == separator)
      folders.emplace_back();
    else if (list[i] == '\\' && i + 1 < list.size())
      folders.back() += list[++i];
    else
      folders.back() += list[i];
  }
  std::erase(folders, "");
  return folders;
}

}  // namespace

std::optional<Mount> parse_mount(std::string_view line)
{
  Mount mount;
  unsigned major = 0, minor = 0;
  const bool has_id = read_number(take_until(line, ' '), mount.id);
  take_until(line, ' ');  // the mount that it is on
  const bool has_device = read_number(take_until(line, ':'), major) && read_number(take_until(line, ' '), minor);
  take_until(line, ' ');  // the folder that is mounted
  mount.device = makedev(major, minor);
  mount.where = unescape_field(take_until(line, ' '));
  // The mount's own options, fields that came with later kernels, and a dash where they end.
  while (!line.empty() && take_until(line, ' ') != "-") {}
  mount.type = unescape_field(take_until(line, ' '));
  mount.source = unescape_field(take_until(line, ' '));  // perhaps empty
  mount.options = line;
  if (!has_id || !has_device || !mount.where.starts_with('/') || mount.type.empty() || mount.options.empty())
    return std::nullopt;
  return mount;
}

std::string unescape_field(std::string_view field)
{
  std::string text;
  for (std::size_t i = 0; i < field.size(); ++i) {
    if (field[i] == '\\' && is_octal(field.substr(i + 1, 3))) {
      const std::string_view digits = field.substr(i + 1, 3);
      text += static_cast<char>((digits[0] - '0') * 64 + (digits[1] - '0') * 8 + (digits[2] - '0'));
      i += 3;
    } else {
      text += field[i];
    }
  }
  return text;
}

std::vector<std::string> overlay_folders(std::string_view options)
{
  std::vector<std::string> all;
  while (!options.empty()) {
    std::string_view value = take_until(options, ',');
    const std::string_view name = take_until(value, '=');
    std::vector<std::string> folders;
    if (name == "upperdir")
      folders = split_folders(unescape_field(value), '\0');
    else if (name == "lowerdir")
      folders = split_folders(unescape_field(value), ':');
    else if (name == "lowerdir+" || name == "datadir+")  // since Linux 6.7, each as it is
      folders = {unescape_field(value)};
    all.insert(all.end(), folders.begin(), folders.end());
  }
  return all;
}

}  // namespace gptgrow
