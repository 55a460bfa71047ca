// SPDX-License-Identifier: BSD-3-Clause
#include "core/error.h"
#include "core/repair/same_partitions.h"
#include "tests/unit/catch2.h"
#include "tests/unit/served_disk.h"

using namespace gptgrow;

namespace {

std::vector<Entry> entries_of(const TestDisk& disk)
{
  return used_entries(disk.array(), disk.entry_size);
}

void check(const TestDisk& found, const TestDisk& wanted, const std::vector<std::uint32_t>& replaced = {})
{
  check_same_partitions(MemorySource({}), entries_of(found), "image", entries_of(wanted), replaced);
}

}  // namespace

TEST_CASE("The same partitions may be in other slots")
{
  TestDisk moved = two_partitions();
  moved.entries[1].slot = 2;
  CHECK_NOTHROW(check(two_partitions(), two_partitions()));
  CHECK_NOTHROW(check(moved, two_partitions()));
}

TEST_CASE("A partition more, less or elsewhere is refused, unless its slot is to be replaced")
{
  TestDisk less = two_partitions(), more = two_partitions(), elsewhere = two_partitions(), other = two_partitions();
  less.entries.pop_back();
  more.entries.push_back({4, 400, 410, 4});
  elsewhere.entries[1].first_lba = 201;
  other.entries[1].id = 9;
  for (const TestDisk& found : {less, elsewhere, other}) {
    CHECK_THROWS_AS(check(found, two_partitions()), Error);
    CHECK_NOTHROW(check(found, two_partitions(), {3}));
  }
  CHECK_THROWS_AS(check(more, two_partitions()), Error);
  CHECK_NOTHROW(check(more, two_partitions(), {4}));
}

TEST_CASE("A partition that only ends further out has grown, and keeps its end where nothing is in the way")
{
  TestDisk found = two_partitions();
  found.entries[0].last_lba = 150;
  const auto grown = grown_partitions(entries_of(found), entries_of(two_partitions()));
  REQUIRE(grown.size() == 1);
  CHECK(grown[0].in_image.last_lba == Lba{99});
  CHECK(grown[0].on_disk.last_lba == Lba{150});

  const Disk disk = served(two_partitions().bytes(), 512 * 512);
  Gpt gpt = gpt_of(disk);
  keep_grown(disk, gpt, disk.layout().primary, grown, entries_of(two_partitions()));
  CHECK(used_entries(gpt.array(), gpt.entry_size_bytes)[0].last_lba == Lba{150});

  found.entries[0].last_lba = 250;
  CHECK_THROWS_WITH(keep_grown(disk, gpt, disk.layout().primary,
                               grown_partitions(entries_of(found), entries_of(two_partitions())),
                               entries_of(two_partitions())),
                    ContainsSubstring("over slot 3"));
}

TEST_CASE("A partition that has grown is told with the slot that it is in now")
{
  TestDisk found = two_partitions();
  found.entries[0].last_lba = 150;
  CHECK_THROWS_WITH(check(found, two_partitions()),
                    ContainsSubstring("slot 1 was grown on the disk from EndingLBA 99 to 150"));
  found.entries[0].slot = 7;
  CHECK_THROWS_WITH(check(found, two_partitions()), ContainsSubstring("slot 1, now in slot 7, was grown"));
  CHECK_NOTHROW(check(found, two_partitions(), {7}));
  CHECK_NOTHROW(check(found, two_partitions(), {1}));
  // Of another type it is another partition.
  std::vector<Entry> other = entries_of(found);
  REQUIRE(other.at(1).slot == 7);
  other[1].type_guid = Guid();
  CHECK(grown_partitions(other, entries_of(two_partitions())).empty());
}

TEST_CASE("A grown partition does not keep an end in the table")
{
  TestDisk found = two_partitions();
  found.entries[1].last_lba = 480;
  const Disk disk = served(two_partitions().bytes(), 512 * 512);
  Gpt gpt = gpt_of(disk);
  CHECK_THROWS_WITH(keep_grown(disk, gpt, disk.layout().primary,
                               grown_partitions(entries_of(found), entries_of(two_partitions())),
                               entries_of(two_partitions())),
                    ContainsSubstring("slot 3: EndingLBA 480, expected at most LastUsableLBA 478"));
}

TEST_CASE("A grown partition does not keep its end where a record of a hybrid MBR would not say so")
{
  TestDisk found = two_partitions();
  found.entries[0].last_lba = 150;
  const Disk disk = served(two_partitions().bytes(), 512 * 512);
  Gpt gpt = gpt_of(disk);
  const auto keep = [&] {
    keep_grown(disk, gpt, disk.layout().primary, grown_partitions(entries_of(found), entries_of(two_partitions())),
               entries_of(two_partitions()));
  };
  constexpr std::size_t kSecondRecord = 446 + 16, kThirdRecord = kSecondRecord + 16;
  const auto put_record = [&](std::size_t at, std::uint32_t first, std::uint32_t count) {
    gpt.mbr.bytes[at + 4] = std::byte{0x83};
    put_field(gpt.mbr.bytes, at + 8, first);
    put_field(gpt.mbr.bytes, at + 12, count);
  };
  put_record(kSecondRecord, 200, 60);  // of the other one
  CHECK_NOTHROW(keep());
  put_record(kThirdRecord, 64, 36);
  CHECK_THROWS_WITH(keep(), ContainsSubstring("slot 1 cannot be extended: a record of the MBR, of type 0x83 at LBA "
                                              "64-99, lies there too: it is a hybrid MBR"));
}

TEST_CASE("Of many partitions that are others the first are told, and no option is offered for all")
{
  TestDisk found = two_partitions();
  found.entries.clear();
  for (std::uint32_t slot = 1; slot <= 8; ++slot)
    found.entries.push_back({slot, 48 + slot, 48 + slot, static_cast<std::uint8_t>(20 + slot)});
  try {
    check(found, two_partitions());
    FAIL("not refused");
  } catch (const Error& error) {
    CHECK_THAT(error.what(), ContainsSubstring("only in image: slot 3") && ContainsSubstring("slot 6, LBA 54-54") &&
                                 ContainsSubstring("and 2 more") && !ContainsSubstring("slot 7"));
    CHECK(error.hints().empty());
  }
  found.entries.resize(6);
  try {
    check(found, two_partitions());
    FAIL("not refused");
  } catch (const Error& error) {
    CHECK_THAT(error.what(), !ContainsSubstring("more"));
    CHECK(error.hints().at(0).value == "1,2,3,4,5,6");
  }
}
