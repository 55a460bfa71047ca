// SPDX-License-Identifier: BSD-3-Clause
#include "core/restore/free_space.h"

#include "core/error.h"
#include "tests/unit/catch2.h"

using namespace gptgrow;

TEST_CASE("What becomes of free space has three words, in both directions")
{
  for (const FreeSpace value : {FreeSpace::discard, FreeSpace::zero, FreeSpace::keep})
    CHECK(parse_free_space(to_string(value)) == value);
  CHECK(parse_free_space("discard") == FreeSpace::discard);
  CHECK(parse_free_space("zero") == FreeSpace::zero);
  CHECK(parse_free_space("keep") == FreeSpace::keep);
  for (const char* word : {"", "Zero", "zeros", "keep ", "trim"})
    CHECK_THROWS_WITH(parse_free_space(word),
                      ContainsSubstring(std::string("\"") + word + "\", expected discard, zero"));
}
