// SPDX-License-Identifier: BSD-3-Clause
#include "core/report/json.h"

#include "tests/unit/catch2.h"

using namespace gptgrow;

namespace {

std::string written(std::string_view text)
{
  std::string out;
  JsonObject(out).add("key", text);
  return out;
}

std::string as_the_library_writes(std::string_view text)
{
  return dump({{"key", text}}, -1);
}

}  // namespace

TEST_CASE("A text is escaped as the library does it")
{
  // No text of names and words is escaped by the library itself, for the sake of speed, if it is UTF-8.
  std::string all;
  for (char32_t c = 0; c <= 0x10ffff; c += c < 0x3000 ? 1 : 257) {
    std::string one;
    if (c < 0x80)
      one = {static_cast<char>(c)};
    else if (c < 0x800)
      one = {static_cast<char>(0xc0 | c >> 6), static_cast<char>(0x80 | (c & 63))};
    else if (c < 0x10000)
      one = {static_cast<char>(0xe0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 63)),
             static_cast<char>(0x80 | (c & 63))};
    else
      one = {static_cast<char>(0xf0 | c >> 18), static_cast<char>(0x80 | (c >> 12 & 63)),
             static_cast<char>(0x80 | (c >> 6 & 63)), static_cast<char>(0x80 | (c & 63))};
    if (written(one) != as_the_library_writes(one))
      FAIL(fmt::format("U+{:04x}: {}, expected {}", static_cast<std::uint32_t>(c), written(one),
                       as_the_library_writes(one)));
    if (c < 0xd800 || c > 0xdfff)
      all += one;
  }
  CHECK(written(all) == as_the_library_writes(all));
  for (const std::string_view text : {"", "plain", "\"quoted\\\"", "caf\xc3\xa9 \"x\"", "\xff", "a\xc3", "\xe4\xb8",
                                      "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\\\xff"})
    CHECK(written(text) == as_the_library_writes(text));
}

TEST_CASE("A list that is written piece by piece is as a whole one")
{
  const auto text = [](std::size_t count, JsonLayout layout) {
    const Items items = [&](const NextItem& next) {
      for (std::size_t i = 0; i < count; ++i)
        JsonObject(next(), layout).add("n", i).add("none", std::optional<std::uint64_t>()).add("s", "\u00e4");
    };
    return json_text({{"before", "\"list\": \"\x01\""}, {"list", later()}, {"after", 1}}, {{"list", items}});
  };
  // More than one piece
  for (const std::size_t count : {0, 1, 2, 5000}) {
    Json list = Json::array();
    for (std::size_t i = 0; i < count; ++i)
      list.push_back({{"n", i}, {"none", Json()}, {"s", "\u00e4"}});
    const Json document{{"before", "\"list\": \"\x01\""}, {"list", list}, {"after", 1}};
    CHECK(text(count, JsonLayout::item) == dump(document) + '\n');
    CHECK(Json::parse(text(count, JsonLayout::line)) == document);
  }
}
