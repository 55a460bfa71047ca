// SPDX-License-Identifier: BSD-3-Clause
// What all JSON reports have in common. Internal to core/report.
#pragma once

#include "core/compare/changes.h"
#include "core/compare/compare.h"
#include "core/gpt/entry.h"
#include "core/report/type_name.h"
#include "core/text.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <functional>
#include <string_view>

namespace gptgrow {

using Json = nlohmann::ordered_json;

/// A number that people read in hex, as a string: "0x0000ee01".
template <typename T>
std::string hex(T value)
{
  return fmt::format("0x{:0{}x}", value, 2 * sizeof(T));
}

inline Json entry_json(const Entry& entry, std::uint32_t sector_size_bytes)
{
  // Of a hostile entry the size is nonsense, but must not be undefined.
  const std::uint64_t sectors =
      entry.first_lba <= entry.last_lba ? entry.last_lba.value - entry.first_lba.value + 1 : 0;
  std::uint64_t size_bytes = 0;
  const std::string name = type_name(entry.type_guid);
  return {{"slot", entry.slot},
          {"first_lba", entry.first_lba.value},
          {"last_lba", entry.last_lba.value},
          {"size_bytes", __builtin_mul_overflow(sectors, sector_size_bytes, &size_bytes) ? Json() : Json(size_bytes)},
          {"type_guid", guid_text(entry.type_guid)},
          {"type_name", name.empty() ? Json() : Json(name)},
          {"partition_guid", guid_text(entry.partition_guid)},
          {"name", to_utf8(entry.name)},
          {"attributes", hex(entry.attributes)}};
}

/// As objects of a larger report. A comparison's lists of slots is left to slots_of().
Json json_of(const Change& change);
Json json_of(const std::vector<Change>& changes);
Json json_of(const Comparison& comparison);

/// Takes a text piece by piece.
using Print = std::function<void(std::string_view)>;

/// A list that is too long to be kept: calls its argument with each item.
using Items = std::function<void(const std::function<void(const Json&)>&)>;

/// Stands for such a list in a document.
inline Json later()
{
  return "\x01";
}

Items slots_of(const Comparison& comparison);

/// Writes `document`, with the lists, by their keys, in the order in which they come.
void write_json(const Json& document, const std::vector<std::pair<std::string, Items>>& lists, const Print& print);

/// Control characters and everything that is not ASCII is escaped, so that it is safe on a terminal too. Bytes of a
/// file name that are not UTF-8 become U+FFFD.
inline std::string dump(const Json& json)
{
  return json.dump(2, ' ', true, Json::error_handler_t::replace) + '\n';
}

}  // namespace gptgrow
