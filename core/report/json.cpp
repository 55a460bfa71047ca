// SPDX-License-Identifier: BSD-3-Clause
#include "core/report/json.h"

#include "core/report/type_name.h"
#include "core/text.h"

#include <fmt/format.h>

namespace gptgrow {

namespace {

using namespace std::string_view_literals;

constexpr std::size_t kWrittenAtOnce = 64 * 1024;

/// `unit` is not plain ASCII.
void append_escaped(std::string& out, char16_t unit)
{
  constexpr std::string_view with_letter = "\"\\\b\f\n\r\t", letters = "\"\\bfnrt", digits = "0123456789abcdef";
  const std::size_t at = unit < 0x80 ? with_letter.find(static_cast<char>(unit)) : with_letter.npos;
  if (at != with_letter.npos)
    out.append({'\\', letters[at]});
  else
    out.append({'\\', 'u', digits[unit >> 12], digits[unit >> 8 & 15], digits[unit >> 4 & 15], digits[unit & 15]});
}

void append_text(std::string& out, std::string_view text)
{
  const auto is_plain = [](auto c) { return (c >= 0x20) & (c < 0x7f) & (c != '"') & (c != '\\'); };
  const auto append_all = [&](const auto& units) {
    for (const auto unit : units)
      if (is_plain(unit))
        out += static_cast<char>(unit);
      else
        append_escaped(out, static_cast<char16_t>(unit));
  };
  // Without a branch, many characters are looked at at once.
  unsigned char not_plain = 0, not_ascii = 0;
  for (const char c : text) {
    not_plain |= static_cast<unsigned char>(!is_plain(c));
    not_ascii |= static_cast<unsigned char>(c);
  }
  out += '"';
  if (!not_plain)
    out += text;
  else if (not_ascii < 0x80)
    append_all(text);
  else if (const auto units = to_utf16(text))
    append_all(*units);
  else {
    out.pop_back();
    out += dump(text, -1);
    return;
  }
  out += '"';
}

}  // namespace

std::string& JsonObject::begin(std::string_view key)
{
  const bool is_line = layout_ == JsonLayout::line;
  out_ += is_empty_ ? '{' : ',';
  is_empty_ = false;
  if (!is_line)
    out_ += "\n      ";
  out_ += '"';
  out_ += key;
  out_ += is_line ? "\":"sv : "\": "sv;
  return out_;
}

JsonObject& JsonObject::add(std::string_view key, std::uint64_t value)
{
  const fmt::format_int digits(value);
  begin(key).append(digits.data(), digits.size());
  return *this;
}

JsonObject& JsonObject::add(std::string_view key, std::string_view value)
{
  append_text(begin(key), value);
  return *this;
}

void append_entry(std::string& out, const Entry& entry, std::uint32_t sector_size_bytes, JsonLayout layout)
{
  // Of a hostile entry the size is nonsense, but must not be undefined.
  const std::uint64_t sectors =
      entry.first_lba <= entry.last_lba ? entry.last_lba.value - entry.first_lba.value + 1 : 0;
  std::uint64_t size_bytes = 0;
  const bool has_size = !__builtin_mul_overflow(sectors, sector_size_bytes, &size_bytes);
  const std::string_view type = type_name(entry.type_guid);
  JsonObject(out, layout)
      .add("slot", entry.slot)
      .add("first_lba", entry.first_lba.value)
      .add("last_lba", entry.last_lba.value)
      .add("size_bytes", has_size ? std::optional(size_bytes) : std::nullopt)
      .add("type_guid", guid_text(entry.type_guid))
      .add("type_name", type.empty() ? std::nullopt : std::optional(type))
      .add("partition_guid", guid_text(entry.partition_guid))
      .add("name", to_utf8(entry.name))
      .add("attributes", hex(entry.attributes));
}

void write_json(Json document, const std::vector<std::pair<std::string, Items>>& lists, const Print& print)
{
  const std::string text = dump(document) + '\n';
  document = {};
  const std::string marker = dump(later(), -1);
  std::string_view rest = text;
  for (const auto& [key, items] : lists) {
    // A key is ours, whatever the values are.
    const std::size_t at = rest.find(fmt::format("\"{}\": {}", key, marker)) + key.size() + 4;
    print(rest.substr(0, at));
    rest.remove_prefix(at + marker.size());
    std::string out = "[";
    bool is_empty = true;
    items([&]() -> std::string& {
      if (out.size() >= kWrittenAtOnce) {
        print(out);
        out.clear();
      }
      out += is_empty ? "\n    " : ",\n    ";
      is_empty = false;
      return out;
    });
    print(out + (is_empty ? "]" : "\n  ]"));
  }
  print(rest);
}

std::string json_text(Json document, const std::vector<std::pair<std::string, Items>>& lists)
{
  std::string text;
  write_json(std::move(document), lists, [&](std::string_view piece) { text += piece; });
  return text;
}

}  // namespace gptgrow
