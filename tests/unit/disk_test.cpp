// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/catch2.h"
#include "tests/unit/served_disk.h"

using namespace gptgrow;

namespace {

enum class Kind { table, data, zeros, free_space };

Kind kind_of(const Piece& piece)
{
  if (is_table(piece.role))
    return Kind::table;
  return piece.is_free_space() ? Kind::free_space : piece.is_data() ? Kind::data : Kind::zeros;
}

/// Neighbours of one kind joined.
std::vector<std::pair<ByteRange, Kind>> joined(const Disk& disk)
{
  std::vector<std::pair<ByteRange, Kind>> result;
  std::uint64_t offset = 0;
  for_each_piece(disk, [&](const Piece& piece) {
    REQUIRE(piece.range.offset == offset);
    REQUIRE(piece.range.size > 0);
    REQUIRE(piece.needs_zeros() == (kind_of(piece) == Kind::zeros));
    offset = piece.range.end();
    if (!result.empty() && result.back().second == kind_of(piece))
      result.back().first.size += piece.range.size;
    else
      result.emplace_back(piece.range, kind_of(piece));
  });
  REQUIRE(offset == disk.size_bytes());
  return result;
}

constexpr ByteRange lbas(std::uint64_t first, std::uint64_t end)
{
  return {first * 512, (end - first) * 512};
}

}  // namespace

TEST_CASE("A grown disk is table, data, zeros of the old backup, free space, table")
{
  const Disk disk = served(two_partitions().bytes(), 1000 * 512);
  CHECK(joined(disk) == std::vector<std::pair<ByteRange, Kind>>{{lbas(0, 34), Kind::table},
                                                                {lbas(34, 479), Kind::data},
                                                                {lbas(479, 512), Kind::zeros},
                                                                {lbas(512, 967), Kind::free_space},
                                                                {lbas(967, 1000), Kind::table}});
  CHECK(disk.layout().free_space == lbas(512, 967));
}

TEST_CASE("A disk of the image's size has no free space")
{
  const Disk disk = served(two_partitions().bytes(), 512 * 512);
  CHECK(joined(disk) == std::vector<std::pair<ByteRange, Kind>>{
                            {lbas(0, 34), Kind::table}, {lbas(34, 479), Kind::data}, {lbas(479, 512), Kind::table}});
  CHECK(disk.layout().free_space.size == 0);
}

TEST_CASE("A shrunk disk has its table at its own end")
{
  const Disk disk = served(two_partitions().bytes(), 440 * 512);
  CHECK(joined(disk).back() == std::pair(lbas(407, 440), Kind::table));
  CHECK(disk.layout().free_space.size == 0);
}

TEST_CASE("What is missing of a partition is a hole, not free space")
{
  std::vector<std::byte> image = two_partitions().bytes();
  image.resize(300 * 512);
  const Disk disk = served(image, 1000 * 512, {.policy = {.truncated = Truncated::allow}});
  CHECK(kind_of(disk.piece({300 * 512, 1 << 20})) == Kind::zeros);
  CHECK(disk.layout().free_space == lbas(400, 967));
}

TEST_CASE("A piece is clipped to what is asked for")
{
  const Disk disk = served(two_partitions().bytes(), 1000 * 512);
  CHECK(disk.piece({1, 10}).range == ByteRange{1, 10});
  CHECK(disk.piece({34 * 512 - 1, 10}).range == ByteRange{34 * 512 - 1, 1});
  CHECK(kind_of(disk.piece({600 * 512, 1})) == Kind::free_space);
  CHECK(kind_of(disk.piece({1000 * 512 - 1, 1})) == Kind::table);
}
