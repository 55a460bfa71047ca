// SPDX-License-Identifier: BSD-3-Clause
#include "core/report/changes_report.h"

#include "core/compare/named_fields.h"
#include "core/report/json.h"

#include <fmt/core.h>

#include <algorithm>

namespace gptgrow {

namespace {

constexpr std::size_t kBytesShown = 16;
constexpr std::size_t kBytesInJson = 512;

std::string hex_text(std::span<const std::byte> bytes)
{
  std::string text;
  for (const std::byte byte : bytes.first(std::min(bytes.size(), kBytesShown)))
    text += fmt::format("{}{}", text.empty() ? "" : " ", to_hex(std::span(&byte, 1)));
  return bytes.size() > kBytesShown ? text + " ..." : text;
}

std::optional<std::string> hex_json(std::span<const std::byte> bytes)
{
  return bytes.empty() || bytes.size() > kBytesInJson ? std::nullopt : std::optional(to_hex(bytes));
}

}  // namespace

std::string to_text(const std::vector<Change>& changes, const TextStyle& style)
{
  return to_text([&](const auto& use) { std::ranges::for_each(changes, use); }, style);
}

std::string to_text(const Changes& changes, const TextStyle& style)
{
  std::string out;
  std::string structure;
  changes([&](const Change& change) {
    if (change.structure != structure) {
      structure = change.structure;
      out += '\n' + emphasize(style, Emphasis::title, structure) + '\n';
    }
    const std::string last =
        change.range.size == 1 ? "" : fmt::format("-{}", change.range.offset + change.range.size - 1);
    out += fmt::format("  byte{} {}{}{}{}\n", change.range.size == 1 ? "" : "s", change.range.offset, last,
                       change.field.empty() ? "" : ": ", change.field);
    const auto line = [&](char sign, Emphasis emphasis, std::span<const std::byte> bytes, const std::string& words) {
      const std::string hex = hex_text(bytes);
      out +=
          emphasize(style, emphasis, fmt::format("    {} {}{}{}", sign, hex, hex.empty() ? "" : "   ", words)) + '\n';
    };
    line('-', Emphasis::bad, change.before, change.before_words);
    line('+', Emphasis::good, change.after, change.after_words);
  });
  return out;
}

void append_change(std::string& out, const Change& change, JsonLayout layout)
{
  JsonObject(out, layout)
      .add("offset_bytes", change.range.offset)
      .add("length_bytes", change.range.size)
      .add("structure", change.structure)
      .add("field", change.field.empty() ? std::nullopt : std::optional<std::string_view>(change.field))
      .add("before_hex", hex_json(change.before))
      .add("after_hex", hex_json(change.after))
      .add("before", change.before_words)
      .add("after", change.after_words);
}

Items items_of(const std::vector<Change>& changes)
{
  return [&changes](const NextItem& next) {
    for (const Change& change : changes)
      append_change(next(), change, JsonLayout::item);
  };
}

std::string to_json(const std::vector<Change>& changes, const std::string& disk, const std::string& from,
                    std::uint64_t size_bytes, std::uint32_t sector_size_bytes)
{
  return json_text({{"disk", disk.empty() ? Json() : Json(disk)},
                    {"from", from},
                    {"size_bytes", size_bytes},
                    {"sector_size_bytes", sector_size_bytes},
                    {"last_lba", size_bytes / sector_size_bytes - 1},
                    {"changes", later()}},
                   {{"changes", items_of(changes)}});
}

}  // namespace gptgrow
