// SPDX-License-Identifier: BSD-3-Clause
// What all JSON reports have in common. Internal to core/report.
#pragma once

#include "core/gpt/entry.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <functional>
#include <string_view>

namespace gptgrow {

struct Change;
struct Comparison;

using Json = nlohmann::ordered_json;

/// A number that people read in hex, as a string: "0x0000ee01".
template <typename T>
std::string hex(T value)
{
  return fmt::format("0x{:0{}x}", value, 2 * sizeof(T));
}

/// Control characters and everything that is not ASCII is escaped, so that it is safe on a terminal too. Bytes of a
/// file name that are not UTF-8 become U+FFFD.
inline std::string dump(const Json& json, int indent = 2)
{
  return json.dump(indent, ' ', true, Json::error_handler_t::replace);
}

/// How an object is written.
enum class JsonLayout {
  line,  // all on one line
  item,  // indented, each value on a line of its own, as dump() writes an item of a list of the document
};

/// Appends an object to a text, as dump() would. For the items of long lists, of which no Json is made: that takes several
/// times as long.
class JsonObject {
public:
  explicit JsonObject(std::string& out, JsonLayout layout = JsonLayout::line) : out_(out), layout_(layout) {}
  ~JsonObject() { out_ += std::string_view(layout_ == JsonLayout::line ? "}" : "\n    }"); }
  JsonObject(const JsonObject&) = delete;
  JsonObject& operator=(const JsonObject&) = delete;

  JsonObject& add(std::string_view key, std::uint64_t value);
  JsonObject& add(std::string_view key, std::string_view value);

  /// Null where there is no value.
  template <typename T>
  JsonObject& add(std::string_view key, const std::optional<T>& value)
  {
    if (value)
      return add(key, *value);
    begin(key) += "null";
    return *this;
  }

  /// The text, to which the value of `key` is to be appended.
  std::string& begin(std::string_view key);

private:
  std::string& out_;
  JsonLayout layout_;
  bool is_empty_ = true;
};

void append_entry(std::string& out, const Entry& entry, std::uint32_t sector_size_bytes, JsonLayout layout);
void append_change(std::string& out, const Change& change, JsonLayout layout);

/// Takes a text piece by piece.
using Print = std::function<void(std::string_view)>;

/// The text to which the next item of a list is to be appended.
using NextItem = std::function<std::string&()>;

/// A list that is too long to be kept.
using Items = std::function<void(const NextItem&)>;

/// Stands for such a list in a document.
inline Json later()
{
  return "\x01";
}

Items items_of(const std::vector<Change>& changes);

/// A comparison as an object of a larger report, and its list of slots, which is left out of that.
Json json_of(const Comparison& comparison);
Items slots_of(const Comparison& comparison);

/// Writes `document`, with the lists, by their keys, in the order in which they come. Ends with a newline.
void write_json(Json document, const std::vector<std::pair<std::string, Items>>& lists, const Print& print);

/// The same as one text.
std::string json_text(Json document, const std::vector<std::pair<std::string, Items>>& lists);

}  // namespace gptgrow
