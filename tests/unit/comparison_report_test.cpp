// SPDX-License-Identifier: BSD-3-Clause
#include "core/report/comparison_report.h"
#include "tests/unit/catch2.h"
#include "tests/unit/served_disk.h"

#include <nlohmann/json.hpp>

using namespace gptgrow;

namespace {

Comparison compared(const TestDisk& a, const TestDisk& b)
{
  return compare(in_memory(a.bytes()), in_memory(b.bytes()), std::nullopt);
}

nlohmann::json comparison_json(const Comparison& comparison, std::size_t* longest = nullptr)
{
  std::string text;
  write_json(comparison, [&](std::string_view part) {
    text += part;
    if (longest)
      *longest = std::max(*longest, part.size());
  });
  return nlohmann::json::parse(text);
}

}  // namespace

TEST_CASE("What became of each slot is told with both entries, where there are two")
{
  const TestDisk image = two_partitions();
  TestDisk disk = image;
  disk.entries = {{2, 48, 99, 1}, {3, 200, 398, 3}, {9, 410, 420, 9}};
  const Comparison comparison = compared(image, disk);
  CHECK_THAT(to_text(comparison, {}), ContainsSubstring("     2  moved (2←1): LBA 48-99") &&
                                          ContainsSubstring("     3  changed: LBA 200-398") &&
                                          ContainsSubstring("EndingLBA: 399 in A, 398 in B") &&
                                          ContainsSubstring("     9  only in B: LBA 410-420"));
  const auto slots = comparison_json(comparison)["slots"];
  REQUIRE(slots.size() == 3);
  CHECK(slots[0]["kind"] == "moved");
  CHECK(slots[0]["slot_a"] == 1);
  CHECK(slots[1]["kind"] == "changed");
  CHECK(slots[2]["kind"] == "only_in_b");
  CHECK(slots[2]["slot_a"].is_null());
  CHECK(slots[2]["a"].is_null());
  CHECK(slots[2]["b"]["first_lba"] == 410);
  const auto back = comparison_json(compared(disk, image))["slots"];
  CHECK(back[2]["kind"] == "only_in_a");
  CHECK(back[2]["slot_b"].is_null());
  CHECK(back[2]["b"].is_null());
}

TEST_CASE("Every trace has a name of its own")
{
  // Those of a table that was written anew by something that kept nothing.
  const TestDisk image = two_partitions();
  TestDisk disk = image;
  disk.sectors = 600;
  disk.boot_indicator = 0;
  disk.first_usable_lba = 47;
  disk.header_tail = 1;
  disk.entry_count = 64;
  disk.primary_array_lba = 3;
  std::vector<std::byte> a = image.bytes(), b = disk.bytes();
  a[440] = a[466] = std::byte{0x83};
  for (const std::uint64_t lba : {1, 511}) {
    const auto header = std::span(b).subspan(lba * 512, 512);
    header[56] ^= std::byte{1};
    put_field<std::uint32_t>(header, 16, 0);
    put_field<std::uint32_t>(header, 16, crc32(header.first(92)));
  }
  const auto patterns = comparison_json(compare(in_memory(a), in_memory(b), std::nullopt))["patterns"];
  std::vector<std::string> names;
  for (const auto& pattern : patterns)
    names.push_back(pattern["pattern"]);
  CHECK(names == std::vector<std::string>{"disk_guid_changed", "array_moved", "array_shape_changed", "header_tail_lost",
                                          "header_changed", "backup_left_behind", "active_flag_cleared",
                                          "disk_signature_zeroed", "hybrid_lost"});
}

TEST_CASE("A partition with a new GUID, a protective record that is gone and junk in an unused slot are told")
{
  const TestDisk image = two_partitions();
  TestDisk disk = image;
  disk.entries[0].id = 9;
  std::vector<std::byte> b = disk.bytes();
  b[450] = std::byte{0x83};
  for (const std::uint64_t header_lba : {1, 511}) {
    const auto header = std::span(b).subspan(header_lba * 512, 512);
    const auto array = std::span(b).subspan(get_field<std::uint64_t>(header, 72) * 512, 16384);
    array[128 + 60] = std::byte{1};  // slot 2
    put_field<std::uint32_t>(header, 88, crc32(array));
    put_field<std::uint32_t>(header, 16, 0);
    put_field<std::uint32_t>(header, 16, crc32(header.first(92)));
  }
  const Comparison comparison = compare(in_memory(image.bytes()), in_memory(b), std::nullopt);
  const auto patterns = comparison_json(comparison)["patterns"];
  REQUIRE(patterns.size() == 3);
  CHECK(patterns[0]["pattern"] == "partition_guids_changed");
  CHECK(patterns[1]["pattern"] == "unused_slots_changed");
  CHECK(patterns[2]["pattern"] == "protective_record_lost");
  CHECK_THAT(to_text(comparison, {}), ContainsSubstring("bytes: zeros in A, other bytes in B"));
}

TEST_CASE("A long list of slots is written piece by piece, and is whole")
{
  TestDisk image;
  image.entry_count = 1024;
  image.sectors = image.disk_end = 1100;
  image.first_usable_lba = 300;
  TestDisk disk = image;
  for (std::uint32_t slot = 1; slot <= 1000; ++slot)
    image.entries.push_back({slot, 300 + slot / 4, 300 + slot / 4, static_cast<std::uint8_t>(slot)});
  std::size_t longest = 0;
  const auto json = comparison_json(compared(image, disk), &longest);
  CHECK(json["slots"].size() == 1000);
  CHECK(json["slots"][999]["slot_a"] == 1000);
  CHECK(longest < 128 * 1024);
}
