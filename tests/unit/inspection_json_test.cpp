// SPDX-License-Identifier: BSD-3-Clause
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
