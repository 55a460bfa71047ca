// SPDX-License-Identifier: BSD-3-Clause
#include "core/report/inspection.h"
#include "tests/unit/catch2.h"
#include "tests/unit/served_disk.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

using namespace gptgrow;

namespace {

Inspection inspected(const TestDisk& disk)
{
  return inspect(MemorySource(disk.bytes()), std::nullopt);
}

nlohmann::json json_of(const TestDisk& disk)
{
  std::string text;
  write_json(inspected(disk), [&](std::string_view part) { text += part; });
  return nlohmann::json::parse(text);
}

std::string text_of(const TestDisk& disk)
{
  return to_text(inspected(disk), {});
}

}  // namespace

TEST_CASE("The size of a partition that no disk can hold is not told")
{
  const auto size_of_slot_1 = [](std::uint64_t first_lba, std::uint64_t last_lba) {
    TestDisk disk = two_partitions();
    disk.entries[0] = {1, first_lba, last_lba, 1};
    const auto json = json_of(disk);
    const std::string text = text_of(disk), line = fmt::format("     1 {:>14} {:>14} ", first_lba, last_lba);
    const std::size_t at = text.find(line);
    REQUIRE(at != std::string::npos);
    return std::pair(text.substr(at + line.size(), 6), json["partitions"][0]["size_bytes"].dump());
  };
  CHECK(size_of_slot_1(48, 99) == std::pair<std::string, std::string>("   26K", "26624"));
  CHECK(size_of_slot_1(99, 48) == std::pair<std::string, std::string>("     ?", "0"));
  CHECK(size_of_slot_1(0, UINT64_MAX) == std::pair<std::string, std::string>("     ?", "0"));
  CHECK(size_of_slot_1(48, UINT64_MAX) == std::pair<std::string, std::string>("     ?", "null"));
  CHECK(size_of_slot_1(48, UINT64_MAX / 2) == std::pair<std::string, std::string>("     ?", "null"));
}

TEST_CASE("A disk is drawn where its partitions fit on a line")
{
  TestDisk disk = two_partitions();
  CHECK_THAT(text_of(disk), ContainsSubstring("\n  | free  |   1    |"));
  disk.entries.clear();
  CHECK_THAT(text_of(disk), ContainsSubstring("free") && ContainsSubstring("Partitions\n  none\n"));
  for (std::uint32_t slot = 1; slot <= 40; ++slot)
    disk.entries.push_back({slot, 48 + slot, 48 + slot, 1});
  CHECK_THAT(text_of(disk), !ContainsSubstring("\n  |"));
}

TEST_CASE("Slots are drawn up to the last line that holds one")
{
  TestDisk disk = two_partitions();
  CHECK_THAT(text_of(disk),
             ContainsSubstring("       1  #_#..... ........ ........ ........\n      33  all empty until 128"));
  disk.entries.push_back({128, 300, 310, 9});
  disk.entries.back() = {128, 401, 410, 9};
  CHECK_THAT(text_of(disk), ContainsSubstring("      97  ________ ________ ________ _______#\n"));
  CHECK_THAT(text_of(disk), !ContainsSubstring("all empty until"));
}

TEST_CASE("Names of partition types that nobody knows are their GUIDs")
{
  const auto json = json_of(two_partitions());
  CHECK(json["partitions"][0]["type_name"].is_null());
  CHECK(json["partitions"][0]["type_guid"] == "A5A5A5A5-A5A5-A5A5-A5A5-A5A5A5A5A5A5");
  CHECK_THAT(text_of(two_partitions()), ContainsSubstring("A5A5A5A5-A5A5-A5A5-A5A5-A5A5A5A5A5A5"));
}

TEST_CASE("Without a backup, and with one of another disk, each header's fields stand by themselves")
{
  std::vector<std::byte> bytes = two_partitions().bytes();
  bytes[511 * 512 + 56] ^= std::byte{1};
  const auto text = [&] { return to_text(inspect(MemorySource(bytes), std::nullopt), {}); };
  CHECK_THAT(text(), ContainsSubstring("DiskGUID, primary") && ContainsSubstring("DiskGUID, backup"));
  bytes[511 * 512] ^= std::byte{1};
  CHECK_THAT(text(), ContainsSubstring("none") && ContainsSubstring("DiskGUID, primary") &&
                         !ContainsSubstring("DiskGUID, backup"));
  bytes[511 * 512] ^= std::byte{1};
  bytes[512] ^= std::byte{1};
  CHECK_THAT(text(), !ContainsSubstring("DiskGUID, primary") && ContainsSubstring("DiskGUID, backup"));
}

TEST_CASE("A device with sectors of another size is warned about")
{
  const auto warned = [](std::uint32_t device_sector_size_bytes) {
    const auto inspection = inspect(MemorySource(two_partitions().bytes(), device_sector_size_bytes), std::nullopt);
    return std::ranges::any_of(inspection.warnings, [](const std::string& warning) {
      return warning.find("a disk with 4096-byte sectors does not show its partitions") != std::string::npos;
    });
  };
  CHECK(warned(4096));
  CHECK_FALSE(warned(512));
  CHECK_FALSE(warned(0));
}
