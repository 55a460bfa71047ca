// SPDX-License-Identifier: BSD-3-Clause
#include "core/report/text_style.h"
#include "tests/unit/catch2.h"

#include <fmt/format.h>

#include <algorithm>

using namespace gptgrow;

TEST_CASE("A word stands out on a terminal with colour, and is itself without")
{
  const TextStyle plain, colored{.color = true};
  using enum Emphasis;
  for (const auto& [emphasis, code] : {std::pair{title, "1"}, std::pair{good, "32"}, std::pair{warning, "33"},
                                       std::pair{bad, "1;31"}, std::pair{faint, "2"}}) {
    CHECK(emphasize(plain, emphasis, "word") == "word");
    CHECK(for_terminal("a " + emphasize(colored, emphasis, "word") + " b") ==
          fmt::format("a \x1b[{}mword\x1b[0m b", code));
  }
}

TEST_CASE("Nothing that stands in a text reaches the terminal as an escape but what was emphasized")
{
  CHECK(for_terminal("") == "");
  CHECK(for_terminal("two\nlines") == "two\nlines");
  for (const std::string hostile : {"\x1b[31mred", "\x1b]0;title\a",
                                    "\x1b"
                                    "0123456789abcdefa",
                                    "\r", "\x7f", "\x9b"}) {
    const std::string shown = for_terminal(emphasize({.color = true}, Emphasis::bad, hostile) + hostile);
    CHECK(shown.starts_with("\x1b[1;31m"));
    CHECK(std::ranges::count(shown, '\x1b') == 2);
    CHECK_THAT(shown, !ContainsSubstring("\r") && !ContainsSubstring("\a") && !ContainsSubstring("\x7f"));
  }
  // A mark that was cut in two is text.
  const std::string marked = emphasize({.color = true}, Emphasis::good, "x");
  CHECK(std::ranges::count(for_terminal(marked.substr(1)), '\x1b') == 1);
}

TEST_CASE("Text is broken at spaces, so that each line fits, and a word that is longer stands alone")
{
  const TextStyle narrow{.width = 12};
  CHECK(wrap(narrow, "  - ", "") == "  - \n");
  CHECK(wrap(narrow, "  - ", "one") == "  - one\n");
  CHECK(wrap(narrow, "  - ", "one four") == "  - one four\n");
  CHECK(wrap(narrow, "  - ", "one fours") == "  - one\n    fours\n");
  CHECK(wrap(narrow, "  - ", "incomprehensible a b") == "  - incomprehensible\n    a b\n");
  CHECK(wrap(narrow, "", "a incomprehensible") == "a\nincomprehensible\n");
  CHECK(wrap(narrow, "", "a b ") == "a b\n");
}

TEST_CASE("A size has three digits, or all of them where it is whole, and a unit of powers of 1024")
{
  for (const auto& [bytes, text] : {
           std::pair<std::uint64_t, const char*>{0, "0B"},
           {1023, "1023B"},
           {1024, "1K"},
           {1025, "1.00K"},
           {1536, "1.50K"},
           {10 * 1024 + 512, "10.5K"},
           {100 * 1024 + 512, "100K"},
           {1023 * 1024, "1023K"},
           {250 << 20, "250M"},
           {std::uint64_t{1} << 60, "1E"},
           {UINT64_MAX, "16E"},
       })
    CHECK(short_size(bytes) == text);
}

TEST_CASE("Numbers that follow each other are one run")
{
  CHECK(join_runs({}) == "");
  CHECK(join_runs({7}) == "7");
  CHECK(join_runs({1, 2}) == "1-2");
  CHECK(join_runs({1, 2, 3, 5, 7, 8}) == "1-3, 5, 7-8");
  CHECK(join_runs({1, 3, 5}) == "1, 3, 5");
  CHECK(join_runs({UINT32_MAX - 1, UINT32_MAX}) == "4294967294-4294967295");
}
