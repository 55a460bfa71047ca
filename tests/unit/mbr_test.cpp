// SPDX-License-Identifier: BSD-3-Clause
#include "core/gpt/fields.h"
#include "core/gpt/mbr.h"
#include "tests/unit/catch2.h"

#include <vector>

using namespace gptgrow;

namespace {

constexpr Lba kLastUsable{9966};

std::vector<std::byte> sector_with_record(std::size_t index, std::uint8_t type, std::uint32_t first, std::uint32_t size)
{
  std::vector<std::byte> sector(512, std::byte{0x5a});
  const std::size_t record = 446 + 16 * index;
  put_field<std::uint8_t>(sector, record + 4, type);
  put_field<std::uint32_t>(sector, record + 8, first);
  put_field<std::uint32_t>(sector, record + 12, size);
  return sector;
}

}  // namespace

TEST_CASE("A protective record that reaches LastUsableLBA moves with the end of the disk, whichever of the four it is")
{
  const std::size_t index = GENERATE(0U, 1U, 2U, 3U);
  const std::int64_t delta = GENERATE(1, 40, -500, 1000000);
  auto sector = sector_with_record(index, 0xee, 1, 9999);
  auto expected = sector;
  put_field(expected, 446 + 16 * index + 12, static_cast<std::uint32_t>(9999 + delta));
  move_protective_record(sector, kLastUsable, delta);
  CHECK(sector == expected);
}

TEST_CASE("SizeInLBA equal to LastUsableLBA, as ESXi 7 has it, reaches it; one less does not")
{
  auto reaches = sector_with_record(0, 0xee, 1, 9966);
  auto falls_short = sector_with_record(0, 0xee, 1, 9965);
  const auto untouched = falls_short;
  move_protective_record(reaches, kLastUsable, 10);
  move_protective_record(falls_short, kLastUsable, 10);
  CHECK(get_field<std::uint32_t>(reaches, 458) == 9976);
  CHECK(falls_short == untouched);
}

TEST_CASE("SizeInLBA stops at 0xFFFFFFFF and never leaves it")
{
  auto grown = sector_with_record(0, 0xee, 1, 9999);
  move_protective_record(grown, kLastUsable, std::int64_t{1} << 40);
  CHECK(get_field<std::uint32_t>(grown, 458) == 0xffffffff);

  auto whole = sector_with_record(0, 0xee, 1, 0xffffffff);
  const auto untouched = whole;
  move_protective_record(whole, kLastUsable, -500);
  CHECK(whole == untouched);
}

TEST_CASE("Records of other types and places stay")
{
  auto sector = GENERATE(sector_with_record(1, 0x83, 1, 9999), sector_with_record(2, 0xee, 0, 9999),
                         sector_with_record(3, 0xee, 2, 9999));
  const auto untouched = sector;
  move_protective_record(sector, kLastUsable, 1000);
  CHECK(sector == untouched);
}
