// SPDX-License-Identifier: BSD-3-Clause
// Each trace that compare knows, left by itself on a disk that is otherwise what it should be.
#include "core/compare/compare.h"
#include "core/error.h"
#include "tests/unit/catch2.h"
#include "tests/unit/memory_source.h"
#include "tests/unit/test_disk.h"

#include <algorithm>

using namespace gptgrow;

namespace {

constexpr std::uint64_t kGrownSectors = 700;

TestDisk disk_with_gap()
{
  return {.entries = {{1, 64, 79, 1}, {2, 200, 259, 2}, {5, 80, 95, 5}, {6, 96, 199, 6}}};
}

TestDisk grown(TestDisk disk)
{
  disk.sectors = disk.disk_end = kGrownSectors;
  return disk;
}

Comparison compared(const std::vector<std::byte>& a, const std::vector<std::byte>& b)
{
  return compare(in_memory(a), in_memory(b), std::nullopt);
}

std::vector<Trace> traces(const std::vector<std::byte>& a, const std::vector<std::byte>& b)
{
  std::vector<Trace> traces;
  for (const Finding& finding : compared(a, b).findings)
    traces.push_back(finding.trace);
  return traces;
}

std::vector<Trace> traces(const TestDisk& a, const TestDisk& b)
{
  return traces(a.bytes(), b.bytes());
}

}  // namespace

TEST_CASE("What moves with the end of the disk is no difference")
{
  const TestDisk image = disk_with_gap();
  CHECK(compared(image.bytes(), grown(image).bytes()).same());
  CHECK(compared(grown(image).bytes(), image.bytes()).same());
  CHECK(compared(image.bytes(), image.bytes()).same());
}

TEST_CASE("Entries in other slots are told apart by their order")
{
  const TestDisk image = disk_with_gap();
  TestDisk disk = grown(image);
  disk.entries = {{1, 64, 79, 1}, {2, 200, 259, 2}, {3, 80, 95, 5}, {4, 96, 199, 6}};
  CHECK(traces(image, disk) == std::vector{Trace::gap_closed});
  CHECK_THAT(compared(image.bytes(), disk.bytes()).findings.at(0).text, ContainsSubstring("slots 5-6 moved to 3-4"));
  disk.entries = {{1, 64, 79, 1}, {2, 80, 95, 5}, {3, 96, 199, 6}, {4, 200, 259, 2}};
  CHECK(traces(image, disk) == std::vector{Trace::entries_sorted});
  disk.entries = {{1, 64, 79, 1}, {2, 200, 259, 2}, {9, 80, 95, 5}, {6, 96, 199, 6}};
  CHECK(traces(image, disk) == std::vector{Trace::entries_moved});
}

TEST_CASE("Entries that are lost, added, grown or elsewhere")
{
  const TestDisk image = disk_with_gap();
  TestDisk disk = grown(image);
  disk.entries.pop_back();
  CHECK(traces(image, disk) == std::vector{Trace::entries_missing});
  disk = grown(image);
  disk.entries.push_back({9, 300, 310, 9});
  CHECK(traces(image, disk) == std::vector{Trace::entries_added});
  disk = grown(image);
  disk.entries[1].last_lba = 600;
  CHECK(traces(image, disk) == std::vector{Trace::partition_grown});
  disk = grown(image);
  disk.entries[1].first_lba = 201;
  CHECK(traces(image, disk) == std::vector{Trace::extents_changed});
  disk = grown(image);
  disk.entries[1].id = 77;
  CHECK(traces(image, disk) == std::vector{Trace::partition_guids_changed});
}

TEST_CASE("A partition is extended where it ends as far as it can, and is what it was otherwise")
{
  const TestDisk image = disk_with_gap();
  const TestDisk as_it_is = grown(image);
  using enum Trace;
  // LastUsableLBA is 700 - 34; 664 is the last multiple of 4096 bytes before it.
  const auto with_end = [&](std::uint64_t last_lba) {
    TestDisk disk = as_it_is;
    disk.entries[1].last_lba = last_lba;
    return disk;
  };
  const Comparison extended = compared(image.bytes(), with_end(663).bytes());
  CHECK(only_extended(extended) == 2);
  CHECK(extended.tools.front() == "gptgrow extend");
  CHECK(traces(image, with_end(663)) == std::vector{partition_extended});
  for (const std::uint64_t last_lba : {655, 662, 664, 666})
    CHECK(traces(image, with_end(last_lba)) == std::vector{partition_grown});

  TestDisk moved = with_end(663), other_guid = with_end(663), from_further_on = with_end(663);
  moved.entries[1].slot = 3;
  other_guid.entries[1].id = 7;
  from_further_on.entries[1].first_lba = 208;
  for (const TestDisk& disk : {moved, other_guid, from_further_on}) {
    CHECK_FALSE(only_extended(compared(image.bytes(), disk.bytes())));
    CHECK(std::ranges::count(traces(image, disk), partition_extended) == 0);
  }
  // And something else beside it.
  TestDisk inactive = with_end(663);
  inactive.boot_indicator = 0;
  CHECK_FALSE(only_extended(compared(image.bytes(), inactive.bytes())));
  CHECK(traces(image, inactive) == std::vector{partition_extended, active_flag_cleared});
}

TEST_CASE("All lost partitions are named")
{
  const TestDisk image = disk_with_gap();
  TestDisk disk = grown(image);
  disk.entries = {{2, 200, 259, 2}};
  const Comparison comparison = compared(image.bytes(), disk.bytes());
  REQUIRE(comparison.findings.size() == 1);
  CHECK(comparison.findings[0].text == "partitions lost: slots 1, 5-6 of A");
}

TEST_CASE("A zeroed MBR lacks its protective record")
{
  const TestDisk image = disk_with_gap();
  std::vector<std::byte> disk = grown(image).bytes();
  std::fill_n(disk.begin(), 512, std::byte{0});
  const Comparison comparison = compared(image.bytes(), disk);
  REQUIRE(comparison.findings.size() == 1);
  CHECK(comparison.findings[0].trace == Trace::protective_record_lost);
  CHECK(comparison.findings[0].text == "the protective record is gone: the MBR is zeroed");
  CHECK(comparison.tools.empty());
}

TEST_CASE("Headers, arrays and MBR")
{
  TestDisk image = disk_with_gap();
  TestDisk disk = grown(image);
  disk.boot_indicator = 0;
  CHECK(traces(image, disk) == std::vector{Trace::active_flag_cleared});

  disk = image;
  disk.sectors = kGrownSectors;
  CHECK(traces(image, disk) == std::vector{Trace::backup_left_behind});

  image.primary_array_lba = 10;
  disk = grown(image);
  disk.primary_array_lba = 2;
  CHECK(traces(image, disk) == std::vector{Trace::array_moved});

  image = disk_with_gap();
  image.header_tail = 0x5a;
  disk = grown(image);
  disk.header_tail = 0;
  CHECK(traces(image, disk) == std::vector{Trace::header_tail_lost});

  image = disk_with_gap();
  disk = grown(image);
  disk.entry_count = 64;
  CHECK_THAT(compared(image.bytes(), disk.bytes()).findings.at(0).text, ContainsSubstring("array of another shape"));
}

TEST_CASE("Damage is a difference, and two damaged tables are trouble")
{
  const TestDisk image = disk_with_gap();
  std::vector<std::byte> disk = grown(image).bytes();
  disk[512 + 60] ^= std::byte{1};
  CHECK(traces(image.bytes(), disk) == std::vector{Trace::primary_bad});
  disk[(kGrownSectors - 1) * 512 + 60] ^= std::byte{1};
  CHECK_THROWS_WITH(compared(image.bytes(), disk), ContainsSubstring("no valid backup either"));
  disk = grown(image).bytes();
  disk[(kGrownSectors - 1) * 512 + 60] ^= std::byte{1};
  CHECK(traces(image.bytes(), disk) == std::vector{Trace::backup_bad});
}

TEST_CASE("Bytes of unused slots count")
{
  const TestDisk image = disk_with_gap();
  // An unused slot with junk, CRCs made right by hand.
  const auto with_junk = [](const TestDisk& disk) {
    std::vector<std::byte> bytes = disk.bytes();
    std::vector<std::byte> array = disk.array();
    array[3 * 128 + 100] = std::byte{0x6d};
    for (const std::uint64_t lba : {std::uint64_t{1}, disk.disk_end - 1}) {
      const auto header = std::span(bytes).subspan(lba * 512, 512);
      const auto array_lba = get_field<std::uint64_t>(header, 72);
      std::memcpy(bytes.data() + array_lba * 512, array.data(), array.size());
      put_field<std::uint32_t>(header, 88, crc32(array));
      put_field<std::uint32_t>(header, 16, 0);
      put_field<std::uint32_t>(header, 16, crc32(header.first(92)));
    }
    return bytes;
  };
  CHECK(compared(with_junk(image), with_junk(grown(image))).same());
  CHECK(traces(with_junk(image), grown(image).bytes()) == std::vector{Trace::unused_slots_changed});
}
