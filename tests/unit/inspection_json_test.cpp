// SPDX-License-Identifier: BSD-3-Clause
#include "core/gpt/fields.h"
#include "core/report/inspection.h"
#include "tests/unit/catch2.h"
#include "tests/unit/served_disk.h"

#include <nlohmann/json.hpp>

using namespace gptgrow;

namespace {

nlohmann::json inspection_json(const TestDisk& disk)
{
  std::string text;
  write_json(inspect(MemorySource(disk.bytes()), std::nullopt), [&](std::string_view part) { text += part; });
  return nlohmann::json::parse(text);
}

}  // namespace

TEST_CASE("The size of a partition that no disk can hold is null")
{
  const auto size_of_slot_1 = [](std::uint64_t first_lba, std::uint64_t last_lba) {
    TestDisk disk = two_partitions();
    disk.entries[0] = {1, first_lba, last_lba, 1};
    return inspection_json(disk)["partitions"][0]["size_bytes"].dump();
  };
  CHECK(size_of_slot_1(48, 99) == "26624");
  CHECK(size_of_slot_1(99, 48) == "0");
  CHECK(size_of_slot_1(0, UINT64_MAX) == "0");
  CHECK(size_of_slot_1(48, UINT64_MAX) == "null");
  CHECK(size_of_slot_1(48, UINT64_MAX / 2) == "null");
}

TEST_CASE("A partition type that nobody knows has no name")
{
  const auto json = inspection_json(two_partitions());
  CHECK(json["partitions"][0]["type_name"].is_null());
  CHECK(json["partitions"][0]["type_guid"] == "A5A5A5A5-A5A5-A5A5-A5A5-A5A5A5A5A5A5");
}

TEST_CASE("What there is to say about a disk has its key, also where there is nothing")
{
  std::vector<std::byte> bytes = two_partitions().bytes();
  const auto json_of = [&] {
    std::string text;
    write_json(inspect(MemorySource(bytes), std::nullopt), [&](std::string_view part) { text += part; });
    return nlohmann::json::parse(text);
  };
  const auto json = json_of();
  CHECK(json["disk"] == "image");
  CHECK(json["last_lba"] == 511);
  CHECK(json["table"] == "primary");
  CHECK(json["backup"]["my_lba"] == 511);
  CHECK(json["primary"]["problems"].empty());
  CHECK(json["mbr"]["signature"] == "0xaa55");
  CHECK(json["mbr"]["records"][0]["os_type"] == "0xee");
  CHECK(json["slot_count"] == 128);
  CHECK(json["empty_slots"] == std::vector{2});
  CHECK(json["layout"].is_null());
  std::vector<std::string> kinds;
  for (const auto& segment : json["map"]) {
    kinds.push_back(segment["kind"]);
    CHECK(segment.contains("slot") == (segment["kind"] == "partition"));
  }
  CHECK(kinds == std::vector<std::string>{"mbr", "primary_header", "primary_array", "free", "partition", "free",
                                          "partition", "free", "backup_array", "backup_header"});

  bytes[512 + 40] ^= std::byte{1};
  CHECK(json_of()["table"] == "backup");
  CHECK(json_of()["primary"]["problems"][0]["field"] == "CRC");
  std::fill_n(bytes.begin() + 511 * 512, 512, std::byte{0});
  CHECK(json_of()["table"].is_null());
  CHECK(json_of()["backup"].is_null());
  CHECK(json_of()["partitions"].empty());
}

TEST_CASE("Slots with junk are told by their numbers")
{
  std::vector<std::byte> bytes = two_partitions().bytes();
  const auto array = std::span(bytes).subspan(1024, 128 * 128);
  for (const std::size_t slot : {5U, 128U})
    array[(slot - 1) * 128 + 127] = std::byte{1};
  const auto header = std::span(bytes).subspan(512, 512);
  put_field<std::uint32_t>(header, 88, crc32(array));
  put_field<std::uint32_t>(header, 16, 0);
  put_field<std::uint32_t>(header, 16, crc32(header.first(92)));
  std::string text;
  write_json(inspect(MemorySource(bytes), std::nullopt), [&](std::string_view part) { text += part; });
  CHECK(nlohmann::json::parse(text)["junk_slots"] == std::vector{5, 128});
}
