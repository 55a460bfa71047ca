// SPDX-License-Identifier: BSD-3-Clause
#include "core/disk/size.h"
#include "core/error.h"
#include "tests/unit/catch2.h"

using namespace gptgrow;

TEST_CASE("Sizes are read as truncate(1) reads them")
{
  const auto [text, bytes] = GENERATE(table<const char*, std::uint64_t>({
      {"0", 0},
      {"512", 512},
      {"1s", 512},
      {"3s", 1536},
      {"1K", 1024},
      {"1k", 1024},
      {"1KiB", 1024},
      {"1KB", 1000},
      {"1kB", 1000},
      {"5M", 5ULL << 20},
      {"64G", 64ULL << 30},
      {"2T", 2ULL << 40},
      {"2TB", 2'000'000'000'000},
      {"3P", 3ULL << 50},
      {"7E", 7ULL << 60},
      {"7EB", 7'000'000'000'000'000'000},
      {"9223372036854775807", INT64_MAX},
  }));
  CAPTURE(text);
  CHECK(parse_size(text).resolve(1000) == bytes);
  CHECK(parse_size(std::string("+") + text).relative);
  CHECK_FALSE(parse_size(text).relative);
}

TEST_CASE("+SIZE is relative to the image")
{
  CHECK(parse_size("+1M").resolve(512) == 512 + (1U << 20));
  CHECK(parse_size("+0").resolve(4096) == 4096);
}

TEST_CASE("What is no size is refused, and the message says what is one")
{
  const auto text = GENERATE("", "+", "++1", "-1", "<1", "1X", "1KX", "K", "1 K", " 1", "1.5G", "0x10", "1sB", "1B",
                             "1TiBB", "1b", "1Z", "1e");
  CAPTURE(text);
  CHECK_THROWS_WITH(parse_size(text), ContainsSubstring("powers of 1024"));
}

TEST_CASE("Sizes above 2^63 - 1 are refused")
{
  const auto text =
      GENERATE("8E", "9223372036854775808", "18446744073709551616", "16E", "99999999999999999999999", "10EB");
  CAPTURE(text);
  CHECK_THROWS_WITH(parse_size(text).resolve(0), ContainsSubstring("the largest possible"));
  CHECK_THROWS_WITH(parse_size("+9223372036854775807").resolve(1), ContainsSubstring("the largest possible"));
  CHECK_THROWS_WITH(parse_size("+18446744073709551615").resolve(513), ContainsSubstring("the largest possible"));
}

TEST_CASE("Sizes are printed in bytes and in the largest exact unit")
{
  CHECK(format_size(0) == "0 bytes");
  CHECK(format_size(513) == "513 bytes");
  CHECK(format_size(2ULL << 40) == "2199023255552 bytes (2T)");
  CHECK(format_size((2ULL << 40) + 1024) == "2199023256576 bytes (2147483649K)");
  CHECK(format_size(15ULL << 60) == "17293822569102704640 bytes (15E)");
}
