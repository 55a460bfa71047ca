// SPDX-License-Identifier: BSD-3-Clause
#include "core/text.h"

#include <fmt/core.h>

namespace gptgrow {

namespace {

constexpr bool is_surrogate(char32_t c)
{
  return c >= 0xd800 && c <= 0xdfff;
}

/// Calls `use` with each code point; a lone surrogate is its own.
template <typename Use>
void for_each_code_point(std::u16string_view text, Use use)
{
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char32_t high = text[i];
    const char32_t low = i + 1 < text.size() ? text[i + 1] : 0;
    if (high >= 0xd800 && high <= 0xdbff && low >= 0xdc00 && low <= 0xdfff) {
      use(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
      ++i;
    } else {
      use(high);
    }
  }
}

void append_utf8(std::string& out, char32_t c)
{
  const auto byte = [&](char32_t value) { out += static_cast<char>(value); };
  const auto continuation = [&](int shift) { byte(0x80 | ((c >> shift) & 0x3f)); };
  if (c < 0x80) {
    byte(c);
  } else if (c < 0x800) {
    byte(0xc0 | (c >> 6));
    continuation(0);
  } else if (c < 0x10000) {
    byte(0xe0 | (c >> 12));
    continuation(6);
    continuation(0);
  } else {
    byte(0xf0 | (c >> 18));
    continuation(12);
    continuation(6);
    continuation(0);
  }
}

/// Invisible, or changes how the text around it looks.
constexpr bool is_deceptive(char32_t c)
{
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) ||
         (c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) == 0xfffe || (c >= 0xe0000 && c <= 0xe0fff) || is_surrogate(c);
}

}  // namespace

std::string to_utf8(std::u16string_view text)
{
  std::string out;
  for_each_code_point(text, [&](char32_t c) { append_utf8(out, is_surrogate(c) ? 0xfffd : c); });
  return out;
}

bool is_valid_utf16(std::u16string_view text)
{
  bool valid = true;
  for_each_code_point(text, [&](char32_t c) { valid = valid && !is_surrogate(c); });
  return valid;
}

std::string printable(std::u16string_view text)
{
  std::string out;
  for_each_code_point(text, [&](char32_t c) {
    const auto value = static_cast<std::uint32_t>(c);
    if (c == '\\')
      out += "\\\\";
    else if (!is_deceptive(c))
      append_utf8(out, c);
    else if (c < 0x80)
      out += fmt::format("\\x{:02x}", value);
    else if (c < 0x10000)
      out += fmt::format("\\u{:04x}", value);
    else
      out += fmt::format("\\U{:08x}", value);
  });
  return out;
}

}  // namespace gptgrow
