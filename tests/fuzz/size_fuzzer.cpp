// SPDX-License-Identifier: BSD-3-Clause
// Any text as a word that an option takes: read as the few lines here read it, or refused with a message that has no control
// character in it.
//
// Input: a byte that chooses the kind of word, 8 bytes of number, then the word.
#include "core/disk/disk_options.h"
#include "core/disk/size.h"
#include "core/error.h"
#include "core/gpt/fields.h"
#include "core/nbd/uri.h"
#include "core/stream/sha256.h"
#include "tests/fuzz/require.h"

#include <algorithm>
#include <cctype>
#include <cstring>

using namespace gptgrow;

namespace {

/// What `read` gives; nothing: it refuses.
template <typename Read>
auto unless_refused(Read read) -> std::optional<decltype(read())>
try {
  return read();
} catch (const Error& error) {
  REQUIRE(std::ranges::none_of(std::string_view(error.what()), [](unsigned char c) { return c < 0x20 || c == 0x7f; }));
  return std::nullopt;
}

bool is_digit(char c)
{
  return c >= '0' && c <= '9';
}

/// The number that `digits` begin with, at most 2^65, and takes it off; nothing: there is none.
__extension__ using Wide = unsigned __int128;
std::optional<Wide> take_number(std::string_view& digits)
{
  if (digits.empty() || !is_digit(digits[0]))
    return std::nullopt;
  Wide value = 0;
  for (; !digits.empty() && is_digit(digits[0]); digits.remove_prefix(1))
    value = std::min(value * 10 + static_cast<unsigned>(digits[0] - '0'), Wide{1} << 65);
  return value;
}

/// As the manual of truncate(1) says, and `s`; a letter needs a number before it, and there is no relation but +.
std::optional<std::uint64_t> size_of_word(std::string_view text, std::uint64_t image_size_bytes)
{
  const bool relative = text.starts_with('+');
  text.remove_prefix(relative);
  std::optional<Wide> size = take_number(text);
  if (!size)
    return std::nullopt;
  constexpr std::string_view kLetters[] = {"Kk", "Mm", "Gg", "Tt", "P", "E"};
  Wide unit = text.empty() ? 1 : text == "s" ? 512 : 0;
  for (Wide power_of_2 = 1024, power_of_10 = 1000; const std::string_view letters : kLetters) {
    if (!text.empty() && letters.find(text[0]) != letters.npos) {
      const std::string_view rest = text.substr(1);
      unit = rest.empty() || rest == "iB" ? power_of_2 : rest == "B" ? power_of_10 : 0;
    }
    power_of_2 *= 1024;
    power_of_10 *= 1000;
  }
  if (unit == 0 || *size > UINT64_MAX)
    return std::nullopt;
  const Wide total = *size * unit + (relative ? image_size_bytes : 0);
  return total > INT64_MAX ? std::nullopt : std::optional(static_cast<std::uint64_t>(total));
}

void check_size(std::string_view text, std::uint64_t image_size_bytes)
{
  const auto found = unless_refused([&] { return parse_size(text).resolve(image_size_bytes); });
  REQUIRE(found == size_of_word(text, image_size_bytes));
}

/// Each of the sizes that are printed is that size.
void check_printed(std::uint64_t bytes)
{
  const std::string text = format_size(bytes);
  std::string_view rest = text;
  REQUIRE(take_number(rest) == Wide{bytes} && rest.starts_with(" bytes"));
  const std::size_t open = text.find('(');
  REQUIRE((open == text.npos) == (bytes == 0 || bytes % 1024 != 0));
  if (open != text.npos)
    REQUIRE(parse_size(std::string_view(text).substr(open + 1, text.size() - open - 2)).bytes == bytes);
}

void check_slot(std::string_view text)
{
  std::string_view rest = text;
  const auto number = take_number(rest);
  const bool is_number = number && rest.empty() && *number >= 1 && *number <= UINT32_MAX;
  const auto found = unless_refused([&] { return parse_slot_to_extend(text); });
  REQUIRE(found.has_value() == (is_number || text == "last"));
  if (found)
    REQUIRE(found->number.has_value() == is_number && (!is_number || Wide{*found->number} == *number));
}

void check_sha256(const std::string& text)
{
  const auto found = unless_refused([&] { return parse_sha256(text); });
  const bool is_sum =
      text.size() == 64 && std::ranges::all_of(text, [](unsigned char c) { return std::isxdigit(c) != 0; });
  REQUIRE(found.has_value() == is_sum);
  if (found)
    REQUIRE(::strcasecmp(found->c_str(), text.c_str()) == 0 &&
            std::ranges::none_of(*found, [](unsigned char c) { return std::isupper(c) != 0; }));
}

/// RFC 3986: behind the slashes, up to the next slash, question mark or number sign, is the authority; what in it is before the last
/// @ is of a user, and behind a colon in that, a password.
void check_uri(const std::string& text)
{
  const std::size_t colon = text.find("://");
  const std::string_view scheme = std::string_view(text).substr(0, colon);
  const bool is_uri = colon != text.npos && (scheme == "nbd" || scheme == "nbds" || scheme == "nbd+unix" ||
                                             scheme == "nbds+unix" || scheme == "nbd+vsock" || scheme == "nbds+vsock");
  REQUIRE(nbd::is_uri(text) == is_uri);
  if (!is_uri)
    return;
  std::string authority;
  for (std::size_t i = colon + 3; i < text.size() && !std::strchr("/?#", text[i] == '\0' ? 'x' : text[i]); ++i)
    authority += text[i];
  const std::string user =
      authority.substr(0, authority.find_last_of('@') == authority.npos ? 0 : authority.find_last_of('@'));
  const bool has_password = user.find(':') != user.npos;
  const auto check = [&] {
    nbd::check_no_password(text);
    return true;
  };
  REQUIRE(unless_refused(check).has_value() == !has_password);
}

/// A key and its value, apart by a =.
void check_option(std::string_view text)
{
  const std::size_t equals = std::min(text.find('='), text.size());
  const std::string_view key = text.substr(0, equals), value = text.substr(std::min(equals + 1, text.size()));
  DiskOptions options;
  const auto taken = unless_refused([&] { return options.set(key, value); });
  const auto is_one_of = [&](std::initializer_list<std::string_view> words) {
    return std::ranges::find(words, value) != words.end();
  };
  const bool is_text = key == "file" || key == "size" || key == "reference";
  if (is_text)
    REQUIRE(taken.has_value() == (!value.empty() && (value != "-" || key == "size")));
  else if (key == "extend")
    check_slot(value);
  else if (key == "format")
    REQUIRE(taken.has_value() == is_one_of({"raw", "qcow2", "vmdk", "vhdx", "vdi", "vhd"}));
  else if (key == "sector-size")
    REQUIRE(taken.has_value() == is_one_of({"512", "4096"}));
  else if (key == "table")
    REQUIRE(taken.has_value() == is_one_of({"primary", "backup"}));
  else if (key == "old-backup")
    REQUIRE(taken.has_value() == is_one_of({"zero", "keep"}));
  else if (key == "truncated")
    REQUIRE(taken.has_value() == is_one_of({"refuse", "allow"}));
  else
    REQUIRE(taken.has_value() && !*taken);
  if (taken && *taken && key == "sector-size")
    REQUIRE(std::to_string(*options.reading.sector_size_bytes) == value);
  if (taken && *taken && is_text)
    REQUIRE((key == "file" ? options.file : key == "size" ? options.size : options.reference) == value);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
  if (size < 9)
    return -1;
  const auto number = get_field<std::uint64_t>(std::as_bytes(std::span(data, size)), 1);
  const std::string_view text(reinterpret_cast<const char*>(data) + 9, size - 9);
  switch (data[0] % 6) {
  case 0: check_size(text, number); break;
  case 1: check_printed(number << (number % 48)); break;
  case 2: check_slot(text); break;
  case 3: check_sha256(std::string(text)); break;
  case 4: check_uri(std::string(text)); break;
  default: check_option(text); break;
  }
  return 0;
}
