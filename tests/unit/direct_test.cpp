// SPDX-License-Identifier: BSD-3-Clause
#include "core/target/chunk.h"

#include "tests/unit/catch2.h"
#include "tests/unit/temporary_file.h"

using namespace gptgrow;

TEST_CASE("Bytes past the page cache are read from any place, as many as are wanted")
{
  // More than two chunks, with an end that is not aligned.
  std::string bytes(2 * kChunkBytes + 3 * kDirectAlignment + 1000, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<char>(i % 251 ^ i >> 12);
  const TemporaryFile file;
  file.write(0, bytes);
  const DirectSource source(file.path());
  for (const std::size_t offset :
       {std::size_t{0}, std::size_t{1}, std::size_t{1024}, kDirectAlignment - 1, kChunkBytes})
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{512}, kDirectAlignment, kChunkBytes,
                                   kChunkBytes + 1, bytes.size() - offset - 1, bytes.size() - offset}) {
      if (offset + size > bytes.size())
        continue;
      const std::vector<std::byte> found = read_bytes(source, {offset, size});
      CHECK(std::ranges::equal(std::as_bytes(std::span(bytes)).subspan(offset, size), found));
    }
  CHECK_THROWS_AS(read_bytes(source, {bytes.size() - 10, 11}), std::system_error);
  CHECK_THROWS_AS(read_bytes(source, {bytes.size(), 1}), std::system_error);
}
