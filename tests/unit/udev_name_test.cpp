// SPDX-License-Identifier: BSD-3-Clause
#include "fuse/udev_name.h"
#include "tests/unit/catch2.h"

using namespace gptgrow;

TEST_CASE("Names are encoded as udev encodes them")
{
  const auto [name, encoded] = GENERATE(table<std::string, std::string>({
      {"", ""},
      {"ESP", "ESP"},
      {"#+-.09:=@AZ_az", "#+-.09:=@AZ_az"},
      {"Basic data partition", R"(Basic\x20data\x20partition)"},
      {"/etc/passwd", R"(\x2fetc\x2fpasswd)"},
      {"a\\b~c", R"(a\x5cb\x7ec)"},
      {"\x01\x1b[31m\x7f", R"(\x01\x1b\x5b31m\x7f)"},
      {"ü€😀", "ü€😀"},
      {"\ufdcf\ufdd0\ufdef\ufdf0", "\ufdcf\\xef\\xb7\\x90\\xef\\xb7\\xaf\ufdf0"},
      {"\ufffe\uffff", "\ufffe\\xef\\xbf\\xbf"},
      {"\U0001ffff\U0010ffff", R"(\xf0\x9f\xbf\xbf\xf4\x8f\xbf\xbf)"},
  }));
  CHECK(encode_udev_name(name) == encoded);
}

TEST_CASE("White space goes at the end of a name only")
{
  CHECK(encode_udev_name(" a b \t\n\v\f\r ") == R"(\x20a\x20b)");
  CHECK(encode_udev_name(" \t ").empty());
}

TEST_CASE("A name for which libblkid has no room is none")
{
  CHECK(encode_udev_name(std::string(63, '/')).size() == kMaxUdevNameBytes);
  CHECK(encode_udev_name(std::string(64, '/')).empty());
}

TEST_CASE("No name is a way out of its folder")
{
  CHECK(encode_udev_name(".") == R"(\x2e)");
  CHECK(encode_udev_name("..") == R"(\x2e\x2e)");
  CHECK(encode_udev_name(".. ") == R"(\x2e\x2e)");
  CHECK(encode_udev_name("...") == "...");
  CHECK(encode_udev_name("../..") == R"(..\x2f..)");
}
