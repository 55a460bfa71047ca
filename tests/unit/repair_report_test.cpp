// SPDX-License-Identifier: BSD-3-Clause
#include "core/report/repair_report.h"
#include "tests/unit/catch2.h"

#include <nlohmann/json.hpp>

using namespace gptgrow;

TEST_CASE("Places that a table may have been written over are listed up to a number, and are all in the JSON")
{
  RepairPlan plan;
  plan.disk_size_bytes = 1 << 20;
  plan.sector_size_bytes = 512;
  CHECK(overwritten_text(plan, "disk", "image", {}).empty());
  for (std::uint32_t i = 0; i < 16; ++i)
    plan.overwritten.push_back({{1024 * i, 512}, i, i == 0 ? "data in no partition" : "slot 1", true});
  const auto text = [&] { return overwritten_text(plan, "disk", "image", {}); };
  CHECK_THAT(text(), ContainsSubstring("bytes 15360-15871: 512 bytes of slot 1, not as in image") &&
                         ContainsSubstring("dd if=image of=disk bs=512 skip=30 seek=30 count=1") &&
                         !ContainsSubstring("more places"));
  plan.overwritten.push_back({{1024 * 16, 1024}, 1, "slot 1", true});
  CHECK_THAT(text(), ContainsSubstring("and 1 more places") && !ContainsSubstring("bytes 16384-"));
  const auto json = nlohmann::json::parse(to_json(plan, "disk", "image"))["overwritten"];
  REQUIRE(json.size() == 17);
  CHECK(json[0]["slot"].is_null());
  CHECK(json[1]["slot"] == 1);
  CHECK(json[16]["length_bytes"] == 1024);
}
