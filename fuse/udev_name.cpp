// SPDX-License-Identifier: BSD-3-Clause
#include "fuse/udev_name.h"

#include <fmt/core.h>

namespace gptgrow {

namespace {

constexpr std::string_view kTrimmed = " \t\n\v\f\r";
constexpr std::string_view kKept = "#+-.0123456789:=@ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";

struct CodePoint {
  char32_t value;
  std::size_t length;  // in bytes
};

CodePoint first_code_point(std::string_view utf8)
{
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(utf8[i]); };
  const std::size_t length = byte(0) < 0x80 ? 1 : byte(0) < 0xe0 ? 2 : byte(0) < 0xf0 ? 3 : 4;
  char32_t value = length == 1 ? byte(0) : byte(0) & (0x7f >> length);
  for (std::size_t i = 1; i < length; ++i)
    value = (value << 6) | (byte(i) & 0x3f);
  return {value, length};
}

/// Whether libblkid, which does the work for udev, leaves the code point alone.
bool is_kept(char32_t c)
{
  if (c < 0x80)
    return kKept.find(static_cast<char>(c)) != kKept.npos;
  return !(c >= 0xfdd0 && c <= 0xfdef) && (c & 0xffff) != 0xffff;
}

}  // namespace

std::string encode_udev_name(std::string_view utf8)
{
  utf8 = utf8.substr(0, utf8.find_last_not_of(kTrimmed) + 1);
  const bool is_directory = utf8 == "." || utf8 == "..";
  std::string name;
  while (!utf8.empty()) {
    const auto [value, length] = first_code_point(utf8);
    if (is_kept(value) && !is_directory)
      name += utf8.substr(0, length);
    else
      for (const char byte : utf8.substr(0, length))
        name += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
    utf8.remove_prefix(length);
  }
  return name.size() > kMaxUdevNameBytes ? "" : name;
}

}  // namespace gptgrow
