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
      {"\xe2(\xa1", R"(\xe2(\xa1)"},                                // not the byte that has to follow
  }));
  CHECK(escaped(text) == shown);
  CHECK(escaped(shown) == shown);
}

TEST_CASE("What is invisible or turns text around is shown by its number, and what is beside it is not")
{
  struct Range {
    char32_t first, last;
    bool has_plain_before = true;
  };
  const auto range = GENERATE(values<Range>({{0, 0x1f, false},
                                             {0x7f, 0x9f},
                                             {0xad, 0xad},
                                             {0x61c, 0x61c},
                                             {0x200b, 0x200f},
                                             {0x2028, 0x202e},
                                             {0x2060, 0x206f},
                                             {0xfdd0, 0xfdef},
                                             {0xfeff, 0xfeff},
                                             {0xfff9, 0xfffb},
                                             {0xfffe, 0xffff},
                                             {0x1fffe, 0x1ffff},
                                             {0xe0000, 0xe0fff, false}}));
  const auto is_hidden = [](char32_t c) {
    const std::u16string text = c < 0x10000 ? std::u16string(1, static_cast<char16_t>(c))
                                            : std::u16string{static_cast<char16_t>(0xd800 + ((c - 0x10000) >> 10)),
                                                             static_cast<char16_t>(0xdc00 + (c & 0x3ff))};
    CHECK(printable(text) == escaped(to_utf8(text)));
    return printable(text) != to_utf8(text);
  };
  CAPTURE(static_cast<std::uint32_t>(range.first));
  CHECK(is_hidden(range.first));
  CHECK(is_hidden(range.last));
  CHECK_FALSE(is_hidden(range.last + 1));
  if (range.has_plain_before)
    CHECK_FALSE(is_hidden(range.first - 1));
}

TEST_CASE("A surrogate without its other half is no text, and what is beside it is")
{
  const auto [text, shown] = GENERATE(table<std::u16string, std::string>({
      {u"a\xd83d", R"(a\ud83d)"},
      {u"\xd83d\xd83d\xde00", "\\ud83d\xf0\x9f\x98\x80"},
      {u"\xd83d\xe000", "\\ud83d\xee\x80\x80"},
      {u"\xde00z", R"(\ude00z)"},
  }));
  CHECK_FALSE(is_valid_utf16(text));
  CHECK(printable(text) == shown);
  CHECK(to_utf8(text).find("\xef\xbf\xbd") != std::string::npos);
  CHECK(is_valid_utf16(u"\xd83d\xde00"));
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

TEST_CASE("A hint at an option that a front end has not is left out")
{
  const auto spell = [](const Hint& hint) { return hint.key == "undo" ? "--undo " + hint.value : ""; };
  const Error error("damaged", {{"table", "backup", "would take it"}, {"undo", "FILE", "takes it back"}});
  CHECK(explain(error, spell) == "damaged; --undo FILE takes it back");
}

TEST_CASE("A name in a command is one word of it, whatever it is")
{
  const auto [name, word] = GENERATE(table<std::string, std::string>({
      {"/dev/sdb", "/dev/sdb"},
      {"", "''"},
      {"a b.raw", "'a b.raw'"},
      {"it's", R"('it'\''s')"},
      {"$(reboot);&|<>*?~#!`\"\\", R"('$(reboot);&|<>*?~#!`"\')"},
      {"a\x1b'\\\n", R"($'a\x1b\'\\\x0a')"},
      {"nbd+unix:///a?socket=/s", "'nbd+unix:///a?socket=/s'"},
      {"--apply", "./--apply"},
      {"-a b", "'./-a b'"},
      {"-", "-"},
  }));
  CHECK(shell_word(name) == word);
}
