// SPDX-License-Identifier: BSD-3-Clause
#include "core/report/verification_report.h"
#include "tests/unit/catch2.h"
#include "tests/unit/served_disk.h"

#include <nlohmann/json.hpp>

using namespace gptgrow;

namespace {

struct Said {
  std::string text;
  nlohmann::json json;
};

/// Of a disk that is compared with itself, and of what is put into the result.
Said said(const Verification& verification)
{
  const Disk disk = served(two_partitions().bytes(), 512 * 512);
  Said result{to_text(verification, disk, disk.image(), {}, {}), {}};
  std::string json;
  write_json(verification, disk, disk.image(), {}, [&](std::string_view part) { json += part; });
  result.json = nlohmann::json::parse(json);
  return result;
}

}  // namespace

TEST_CASE("A comparison that was stopped is neither the same nor complete")
{
  Verification stopped;
  stopped.data_compared = stopped.stopped = true;
  stopped.compared_bytes = 3 << 20;
  const Said of_stopped = said(stopped);
  CHECK_THAT(of_stopped.text, ContainsSubstring("data: stopped after 3M, no difference so far"));
  CHECK(of_stopped.json["same"] == false);
  CHECK(of_stopped.json["data"]["complete"] == false);
  CHECK(of_stopped.json["data"]["same"] == false);
  stopped.stopped = false;
  CHECK_THAT(said(stopped).text,
             ContainsSubstring("data: same, 3M of data and holes compared, through the page cache"));
  CHECK(said(stopped).json["same"] == true);
}

TEST_CASE("Of a chunk whose checksum is another one no byte is shown, and of a byte both are")
{
  Verification verification;
  verification.data_compared = true;
  verification.difference = Difference{.offset = 300 * 512,
                                       .size = 65536,
                                       .piece = {},
                                       .entry = Entry{3, {}, {}, {}, {}, {}, std::u16string_view(u"root")},
                                       .found = std::byte{0x12},
                                       .expected = std::byte{0x34}};
  const Said of_chunk = said(verification);
  CHECK_THAT(of_chunk.text,
             ContainsSubstring("65536 bytes differ, in whole or in part, at byte 153600 (LBA 300), in the "
                               "partition of slot 3, \"root\""));
  CHECK(of_chunk.json["data"]["first_difference"]["found_hex"].is_null());
  CHECK(of_chunk.json["data"]["first_difference"]["length_bytes"] == 65536);
  verification.difference->size = 1;
  const Said of_byte = said(verification);
  CHECK_THAT(of_byte.text, ContainsSubstring("0x12, expected 0x34"));
  CHECK(of_byte.json["data"]["first_difference"]["found_hex"] == "12");
  CHECK(of_byte.json["data"]["first_difference"]["expected_hex"] == "34");
  CHECK(of_byte.json["data"]["first_difference"]["slot"] == 3);
}
