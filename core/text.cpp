// SPDX-License-Identifier: BSD-3-Clause
#include "core/text.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdint>

namespace gptgrow {

namespace {

struct Decoded {
  char32_t code_point = 0;
  std::size_t length = 0;  // in bytes; 0: not UTF-8
};

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
  if (c < 0x7f)
    return c < 0x20;
  return c < 0xa0 || c == 0xad || c == 0x61c || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
         (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xfdd0 && c <= 0xfdef) ||
         (c & 0xfffe) == 0xfffe || (c >= 0xe0000 && c <= 0xe0fff) || is_surrogate(c);
}

void append_escape(std::string& out, char32_t c)
{
  const int digits = c < 0x80 ? 2 : c < 0x10000 ? 4 : 8;
  out += '\\';
  out += digits == 2 ? 'x' : digits == 4 ? 'u' : 'U';
  for (int shift = 4 * digits; (shift -= 4) >= 0;)
    out += "0123456789abcdef"[(c >> shift) & 15];
}

/// The character at the front of `text`, which is not empty. Overlong forms and surrogates are no UTF-8.
Decoded first_character(std::string_view text)
{
  constexpr char32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80)
    return {lead, 1};
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length)
    return {};
  char32_t c = lead & (0x7fu >> length);
  for (const char next : text.substr(1, length - 1)) {
    if ((static_cast<unsigned char>(next) & 0xc0) != 0x80)
      return {};
    c = (c << 6) | (static_cast<unsigned char>(next) & 0x3f);
  }
  return c < smallest[length] || c > 0x10ffff || is_surrogate(c) ? Decoded{} : Decoded{c, length};
}

std::string escape(std::string_view text, bool keep_newlines)
{
  // Of much text, nearly all is plain: without a branch, many characters are looked at at once.
  unsigned char is_strange = 0;
  const char plain_too = keep_newlines ? '\n' : ' ';
  for (const char c : text)
    is_strange |= static_cast<unsigned char>(((c < 0x20) | (c > 0x7e)) & (c != plain_too));
  if (!is_strange)
    return std::string(text);
  std::string out;
  out.reserve(text.size());
  for (;;) {
    const auto plain = static_cast<std::size_t>(
        std::ranges::find_if(text, [](char c) { return c < 0x20 || c > 0x7e; }) - text.begin());
    out += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty())
      return out;
    const Decoded decoded = first_character(text);
    const std::size_t length = std::max<std::size_t>(decoded.length, 1);
    if (decoded.length == 0)
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[0]));
    else if (is_deceptive(decoded.code_point) && !(keep_newlines && text[0] == '\n'))
      append_escape(out, decoded.code_point);
    else
      out += text.substr(0, length);
    text.remove_prefix(length);
  }
}

}  // namespace

std::string to_utf8(std::u16string_view text)
{
  std::string out;
  for_each_code_point(text, [&](char32_t c) { append_utf8(out, is_surrogate(c) ? 0xfffd : c); });
  return out;
}

std::optional<std::u16string> to_utf16(std::string_view text)
{
  std::u16string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Decoded decoded = first_character(text);
    if (decoded.length == 0)
      return std::nullopt;
    if (decoded.code_point >= 0x10000)
      out += static_cast<char16_t>(0xd7c0 + (decoded.code_point >> 10));
    out += static_cast<char16_t>(decoded.code_point < 0x10000 ? decoded.code_point
                                                              : 0xdc00 + (decoded.code_point & 0x3ff));
    text.remove_prefix(decoded.length);
  }
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
  out.reserve(text.size());
  for_each_code_point(text, [&](char32_t c) {
    if (c == '\\')
      out += "\\\\";
    else if (is_deceptive(c))
      append_escape(out, c);
    else
      append_utf8(out, c);
  });
  return out;
}

std::string escaped(std::string_view text)
{
  return escape(text, false);
}

std::string escaped_lines(std::string_view text)
{
  return escape(text, true);
}

std::string shell_word(const std::string& path)
{
  // As a word that begins with a dash, it would be an option; alone, it is standard input.
  if (path.size() > 1 && path.front() == '-')
    return shell_word("./" + path);
  constexpr std::string_view plain = "+,-./0123456789:=@ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
  if (!path.empty() && path.find_first_not_of(plain) == path.npos)
    return path;
  const bool is_shown_as_it_is = escaped(path) == path;
  std::string word = is_shown_as_it_is ? "'" : "$'";
  for (const char c : path) {
    if (c == '\'')
      word += is_shown_as_it_is ? "'\\''" : "\\'";
    else if (c == '\\' && !is_shown_as_it_is)
      word += "\\\\";
    else if (is_shown_as_it_is || (c >= 0x20 && c < 0x7f))
      word += c;
    else
      word += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  return word + '\'';
}

}  // namespace gptgrow
