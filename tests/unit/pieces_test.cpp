// SPDX-License-Identifier: BSD-3-Clause
#include "core/restore/pieces.h"
#include "tests/unit/catch2.h"
#include "tests/unit/served_disk.h"

using namespace gptgrow;

namespace {

using Kind = Piece::Kind;

/// Neighbours of one kind joined.
std::vector<std::pair<ByteRange, Kind>> joined(const Pieces& pieces)
{
  std::vector<std::pair<ByteRange, Kind>> result;
  std::uint64_t offset = 0;
  for_each_piece(pieces, [&](const Piece& piece) {
    REQUIRE(piece.range.offset == offset);
    REQUIRE(piece.range.size > 0);
    offset = piece.range.end();
    if (!result.empty() && result.back().second == piece.kind)
      result.back().first.size += piece.range.size;
    else
      result.emplace_back(piece.range, piece.kind);
  });
  REQUIRE(offset == pieces.disk().size_bytes());
  return result;
}

constexpr ByteRange sectors(std::uint64_t first, std::uint64_t end)
{
  return {first * 512, (end - first) * 512};
}

}  // namespace

TEST_CASE("A grown disk is table, data, zeros of the old backup, free space, table")
{
  const Disk disk = served(two_partitions().bytes(), 1000 * 512);
  const Pieces pieces(disk);
  CHECK(joined(pieces) == std::vector<std::pair<ByteRange, Kind>>{{sectors(0, 34), Kind::table},
                                                                  {sectors(34, 479), Kind::data},
                                                                  {sectors(479, 512), Kind::hole},
                                                                  {sectors(512, 967), Kind::free_space},
                                                                  {sectors(967, 1000), Kind::table}});
  CHECK(pieces.free_space() == sectors(512, 967));
}

TEST_CASE("A disk of the image's size has no free space")
{
  const Disk disk = served(two_partitions().bytes(), 512 * 512);
  const Pieces pieces(disk);
  CHECK(joined(pieces) == std::vector<std::pair<ByteRange, Kind>>{{sectors(0, 34), Kind::table},
                                                                  {sectors(34, 479), Kind::data},
                                                                  {sectors(479, 512), Kind::table}});
  CHECK(pieces.free_space().size == 0);
}

TEST_CASE("A shrunk disk has its table at its own end")
{
  const Disk disk = served(two_partitions().bytes(), 440 * 512);
  const Pieces pieces(disk);
  CHECK(joined(pieces).back() == std::pair(sectors(407, 440), Kind::table));
  CHECK(pieces.free_space().size == 0);
}

TEST_CASE("What is missing of a partition is a hole, not free space")
{
  std::vector<std::byte> image = two_partitions().bytes();
  image.resize(300 * 512);
  const Disk disk = served(image, 1000 * 512, {.policy = {.truncated = Truncated::allow}});
  const Pieces pieces(disk);
  CHECK(pieces.at({300 * 512, 1 << 20}).kind == Kind::hole);
  CHECK(pieces.free_space() == sectors(400, 967));
}

TEST_CASE("A piece is clipped to what is asked for")
{
  const Disk disk = served(two_partitions().bytes(), 1000 * 512);
  const Pieces pieces(disk);
  CHECK(pieces.at({1, 10}).range == ByteRange{1, 10});
  CHECK(pieces.at({34 * 512 - 1, 10}).range == ByteRange{34 * 512 - 1, 1});
  CHECK(pieces.at({600 * 512, 1}).kind == Kind::free_space);
  CHECK(pieces.at({1000 * 512 - 1, 1}).kind == Kind::table);
}
