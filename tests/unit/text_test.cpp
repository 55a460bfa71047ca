// SPDX-License-Identifier: BSD-3-Clause
#include "core/error.h"
#include "core/text.h"
#include "tests/unit/catch2.h"

using namespace gptgrow;

TEST_CASE("Text that is not ours is made visible")
{
  const auto [text, shown] = GENERATE(table<std::string, std::string>({
      {"", ""},
      {"ä€😀\\", "ä€😀\\"},
      {"\x1b]0;t\x07\t\n\x7f", R"(\x1b]0;t\x07\x09\x0a\x7f)"},
      {"\xc2\x9b\xe2\x80\xae\xe2\x81\xa6", R"(\u009b\u202e\u2066)"},
      {"\x9b\xff\xc2", R"(\x9b\xff\xc2)"},
      {"\xc0\x8a\xe0\x80\x8a", R"(\xc0\x8a\xe0\x80\x8a)"},          // overlong
      {"\xed\xa0\x80", R"(\xed\xa0\x80)"},                          // a surrogate
      {"\xf4\x90\x80\x80\xe2\x80", R"(\xf4\x90\x80\x80\xe2\x80)"},  // too large; cut off
  }));
  CHECK(escaped(text) == shown);
  CHECK(escaped(shown) == shown);
}

TEST_CASE("Only in text of several lines do newlines stay")
{
  CHECK(escaped("a\nb") == R"(a\x0ab)");
  CHECK(escaped_lines("a\nb\r") == "a\nb\\x0d");
}

TEST_CASE("What is put into a refusal stays on its line, and each front end spells the hint")
{
  const auto spell = [](const Hint& hint) { return hint.key + '=' + hint.value; };
  const std::string path = "a\nb\x1b";
  try {
    refuse_with({"truncated", "allow", "would serve zeros there"}, "{}: {} bytes\nleft", path, 5);
  } catch (const std::exception& e) {
    CHECK(explain(e, spell) == "a\\x0ab\\x1b: 5 bytes\nleft; truncated=allow would serve zeros there");
  }
  CHECK(explain(std::runtime_error(path), spell) == R"(a\x0ab\x1b)");
}
