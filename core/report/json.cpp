// SPDX-License-Identifier: BSD-3-Clause
#include "core/report/json.h"

namespace gptgrow {

namespace {

constexpr std::size_t kWrittenAtOnce = 64 * 1024;

}  // namespace

void write_json(const Json& document, const std::vector<std::pair<std::string, Items>>& lists, const Print& print)
{
  std::string text = dump(document);
  std::string out;
  for (const auto& [key, items] : lists) {
    // A key is ours, whatever the values are.
    const std::string place = '"' + key + "\": ";
    const std::string marker = later().dump(-1, ' ', true);
    const std::size_t at = text.find(place + marker);
    out += text.substr(0, at) + place + '[';
    text.erase(0, at + place.size() + marker.size());
    bool is_empty = true;
    items([&](const Json& item) {
      out += (is_empty ? "\n    " : ",\n    ") + item.dump(-1, ' ', true, Json::error_handler_t::replace);
      is_empty = false;
      if (out.size() >= kWrittenAtOnce) {
        print(out);
        out.clear();
      }
    });
    out += is_empty ? "]" : "\n  ]";
  }
  print(out + text);
}

}  // namespace gptgrow
