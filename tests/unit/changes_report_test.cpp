// SPDX-License-Identifier: BSD-3-Clause
#include "core/report/changes_report.h"
#include "tests/unit/catch2.h"

#include <nlohmann/json.hpp>

using namespace gptgrow;

namespace {

std::vector<std::byte> filled(std::size_t size, unsigned value)
{
  return std::vector<std::byte>(size, static_cast<std::byte>(value));
}

const std::vector<Change>& some_changes()
{
  static const std::vector<Change> all{
      {{446, 1}, "MBR", "BootIndicator", filled(1, 0x80), filled(1, 0), "0x80", "0x00"},
      {{458, 4}, "MBR", "SizeInLBA", filled(4, 0xff), filled(4, 1), "then", "now"},
      {{1024, 16}, "primary array", "slot 1", filled(16, 0), filled(16, 2), "unused", "used"},
      {{2048, 17}, "primary array", "", filled(17, 0), filled(17, 2), "zeros", "17 bytes"},
      {{4096, 512}, "grown area", "", {}, {}, "past the end", "zeros, a hole"},
  };
  return all;
}

}  // namespace

TEST_CASE("Changes are listed under their structure, with the bytes and their meaning before and after")
{
  CHECK(to_text(some_changes(), {}) == "\nMBR\n"
                                       "  byte 446: BootIndicator\n    - 80   0x80\n    + 00   0x00\n"
                                       "  bytes 458-461: SizeInLBA\n    - ff ff ff ff   then\n    + 01 01 01 01   now\n"
                                       "\nprimary array\n"
                                       "  bytes 1024-1039: slot 1\n"
                                       "    - 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00   unused\n"
                                       "    + 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02   used\n"
                                       "  bytes 2048-2064\n"
                                       "    - 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 ...   zeros\n"
                                       "    + 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 ...   17 bytes\n"
                                       "\ngrown area\n"
                                       "  bytes 4096-4607\n    - past the end\n    + zeros, a hole\n");
  CHECK(to_text(std::vector<Change>(), {}) == "");
  CHECK_THAT(for_terminal(to_text(some_changes(), {.color = true})),
             ContainsSubstring("\x1b[1mMBR\x1b[0m") && ContainsSubstring("\x1b[1;31m    - 80   0x80\x1b[0m") &&
                 ContainsSubstring("\x1b[32m    + 00   0x00\x1b[0m"));
}

TEST_CASE("In JSON a change has all of its bytes, up to a sector of them, and null where there is no value")
{
  std::vector<Change> changes = some_changes();
  changes.push_back({{8192, 1024}, "primary array", "", filled(512, 3), filled(513, 4), "", ""});
  const auto json = nlohmann::json::parse(to_json(changes, "/dev/x", "image.raw", 1 << 20, 512));
  CHECK(json["disk"] == "/dev/x");
  CHECK(json["from"] == "image.raw");
  CHECK(json["size_bytes"] == 1 << 20);
  CHECK(json["last_lba"] == 2047);
  REQUIRE(json["changes"].size() == changes.size());
  CHECK(json["changes"][0] == nlohmann::json{{"offset_bytes", 446},
                                             {"length_bytes", 1},
                                             {"structure", "MBR"},
                                             {"field", "BootIndicator"},
                                             {"before_hex", "80"},
                                             {"after_hex", "00"},
                                             {"before", "0x80"},
                                             {"after", "0x00"}});
  CHECK(json["changes"][4]["field"].is_null());
  CHECK(json["changes"][4]["before_hex"].is_null());
  CHECK(json["changes"][5]["before_hex"].get<std::string>().size() == 1024);
  CHECK(json["changes"][5]["after_hex"].is_null());
  const auto none = nlohmann::json::parse(to_json({}, "", "image.raw", 4096, 4096));
  CHECK(none["disk"].is_null());
  CHECK(none["last_lba"] == 0);
  CHECK(none["changes"].empty());
}
