// SPDX-License-Identifier: BSD-3-Clause
#include "core/compare/slot_matching.h"
#include "tests/unit/catch2.h"
#include "tests/unit/served_disk.h"

using namespace gptgrow;

namespace {

using Kind = SlotDifference::Kind;

MatchedSlots matched(const TestDisk& a, const TestDisk& b)
{
  const auto primary = [](const TestDisk& disk) {
    return find_tables(MemorySource(disk.bytes()), std::nullopt).primary;
  };
  return match_slots(primary(a), primary(b));
}

}  // namespace

TEST_CASE("Equal slots are the same, and empty ones are none")
{
  const MatchedSlots result = matched(two_partitions(), two_partitions());
  CHECK(result.same == std::vector<std::uint32_t>{1, 3});
  CHECK(result.differences.empty());
}

TEST_CASE("An entry in another slot is known by its GUID")
{
  TestDisk other = two_partitions();
  other.entries[1].slot = 2;
  const MatchedSlots result = matched(two_partitions(), other);
  CHECK(result.same == std::vector<std::uint32_t>{1});
  REQUIRE(result.differences.size() == 1);
  CHECK(result.differences[0].slot_a == 3);
  CHECK(result.differences[0].slot_b == 2);
}

TEST_CASE("An entry with another GUID is known by its type and extent, else it is another one")
{
  TestDisk other = two_partitions();
  other.entries[1].id = 9;
  const MatchedSlots known = matched(two_partitions(), other);
  REQUIRE(known.differences.size() == 1);
  CHECK(known.differences[0].kind == Kind::changed);
  other.entries[1].first_lba = 300;
  const MatchedSlots unknown = matched(two_partitions(), other);
  REQUIRE(unknown.differences.size() == 2);
  CHECK((unknown.differences[0].kind == Kind::only_in_a || unknown.differences[1].kind == Kind::only_in_a));
  CHECK((unknown.differences[0].kind == Kind::only_in_b || unknown.differences[1].kind == Kind::only_in_b));
}
