// SPDX-License-Identifier: BSD-3-Clause
#include "core/target/chunk.h"

#include "tests/unit/catch2.h"

using namespace gptgrow;

TEST_CASE("A chunk ends at a multiple of its size, and ragged ends are chunks of their own")
{
  constexpr std::uint64_t size = kChunkBytes;
  const auto first = [](ByteRange range) { return first_chunk(range); };
  CHECK(first({0, 10 * size}) == ByteRange{0, size});
  CHECK(first({17408, 10 * size}) == ByteRange{17408, 20480 - 17408});
  CHECK(first({20480, 10 * size}) == ByteRange{20480, size - 20480});
  CHECK(first({size, 5000}) == ByteRange{size, 4096});
  CHECK(first({size + 4096, 904}) == ByteRange{size + 4096, 904});
  CHECK(first({100, 50}) == ByteRange{100, 50});
  CHECK(first({size, 1}) == ByteRange{size, 1});
}
