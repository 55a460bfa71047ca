// SPDX-License-Identifier: BSD-3-Clause
#include "core/stream/sha256.h"

#include "tests/unit/catch2.h"

using namespace gptgrow;

TEST_CASE("A SHA-256 is 64 hexadecimal digits, of either case, and nothing else")
{
  CHECK(parse_sha256(std::string(64, 'A')) == std::string(64, 'a'));
  for (const std::string& text :
       {std::string(), std::string(63, '0'), std::string(65, '0'), std::string(63, '0') + 'g'})
    CHECK_THROWS_WITH(parse_sha256(text), ContainsSubstring("expected 64 hexadecimal digits"));
}
