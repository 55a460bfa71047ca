// SPDX-License-Identifier: BSD-3-Clause
#include "core/stream/checksums.h"

#include "tests/unit/catch2.h"

using namespace gptgrow;

namespace {

std::vector<std::byte> filled_with(int value, std::size_t size = 100)
{
  return std::vector<std::byte>(size, static_cast<std::byte>(value));
}

}  // namespace

TEST_CASE("A chunk is the same, another, or was never put")
{
  Checksums sums;
  sums.put(0, checksum(filled_with(1)));
  sums.put(4096, checksum(filled_with(2)));
  CHECK(sums.are_same(0, filled_with(1)) == true);
  CHECK(sums.are_same(4096, filled_with(1)) == false);
  CHECK(sums.are_same(4096, filled_with(2, 99)) == false);
  CHECK(sums.are_same(100, filled_with(1)) == std::nullopt);
  CHECK(sums.has(4096));
  CHECK_FALSE(sums.has(4097));
}

TEST_CASE("Zeros of different length are not the same")
{
  Checksums sums;
  sums.put(0, checksum(filled_with(0)));
  CHECK(sums.are_same(0, filled_with(0, 101)) == false);
}

TEST_CASE("What is put later takes the place of what was there, whatever the order")
{
  Checksums sums;
  sums.put(0, checksum(filled_with(1)));
  sums.put(8192, checksum(filled_with(2)));
  sums.put(4096, checksum(filled_with(3)));
  sums.put(0, checksum(filled_with(4)));
  CHECK(sums.are_same(0, filled_with(4)) == true);
  CHECK(sums.are_same(4096, filled_with(3)) == true);
  CHECK(sums.are_same(8192, filled_with(2)) == true);
}

TEST_CASE("The last chunk before a byte begins at it or before it")
{
  Checksums sums;
  CHECK(sums.last_before(0) == std::nullopt);
  sums.put(4096, checksum(filled_with(1)));
  sums.put(8192, checksum(filled_with(2)));
  CHECK(sums.last_before(4095) == std::nullopt);
  CHECK(sums.last_before(4096) == 4096);
  CHECK(sums.last_before(8191) == 4096);
  CHECK(sums.last_before(100'000) == 8192);
}
