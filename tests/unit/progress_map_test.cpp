// SPDX-License-Identifier: BSD-3-Clause
#include "core/error.h"
#include "core/restore/progress_map.h"
#include "tests/unit/catch2.h"
#include "tests/unit/temporary_file.h"

#include <filesystem>
#include <fstream>

using namespace gptgrow;

namespace {

const RestoreIdentity kIdentity{"01234567-89ab-cdef-0123-456789abcdef", "an image \xff", 10000, 0xfedcba98, "zero"};

std::string text_of(const std::string& path)
{
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("What is missing is found between what is done")
{
  ProgressMap map(kIdentity);
  CHECK(map.first_missing(0) == 0);
  CHECK(map.missing_end(0) == 10000);
  map.add({0, 100});
  map.add({300, 200});
  map.add({100, 50});
  CHECK(map.first_missing(0) == 150);
  CHECK(map.first_missing(149) == 150);
  CHECK(map.first_missing(200) == 200);
  CHECK(map.missing_end(150) == 300);
  CHECK(map.first_missing(300) == 500);
  CHECK(map.missing_end(500) == 10000);
  map.add({150, 150});
  map.add({500, 9500});
  CHECK(map.first_missing(0) == 10000);
}

TEST_CASE("A map is read as it was saved")
{
  const TemporaryFile file;
  ProgressMap map(kIdentity);
  for (const ByteRange range : {ByteRange{0, 512}, ByteRange{4096, 512}, ByteRange{9999, 1}})
    map.add(range);
  save_map(file.path(), map);
  const auto loaded = load_map(file.path());
  REQUIRE(loaded);
  CHECK(loaded->identity().id == kIdentity.id);
  CHECK(loaded->identity().image == "an image \uFFFD");
  CHECK(loaded->identity().free_space == kIdentity.free_space);
  CHECK(loaded->identity().size_bytes == kIdentity.size_bytes);
  CHECK(loaded->identity().table_crc32 == kIdentity.table_crc32);
  CHECK(loaded->first_missing(0) == 512);
  CHECK(loaded->missing_end(512) == 4096);
  CHECK(loaded->first_missing(4096) == 4608);
  CHECK(loaded->missing_end(4608) == 9999);
  CHECK(loaded->first_missing(9999) == 10000);
  CHECK_FALSE(std::filesystem::exists(file.path() + ".new"));
}

TEST_CASE("There may be no map")
{
  CHECK_FALSE(load_map("/nonexistent/map"));
}

TEST_CASE("A damaged map is refused")
{
  const TemporaryFile file;
  ProgressMap map(kIdentity);
  map.add({0, 512});
  save_map(file.path(), map);
  const std::string good = text_of(file.path());
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    std::ofstream(file.path()) << text;
  };
  const auto refused = [&](const std::string& why) {
    CHECK_THROWS_WITH(load_map(file.path()), ContainsSubstring(why));
  };
  with("# gptgrow", "# another");
  refused("no map of a restore");
  with("\"id\"", "\"ID\"");
  refused("damaged");
  with("01234567-", "");
  refused("an id of 27 characters");
  with("01234567-", std::string(500, '0'));
  refused("an id of 527 characters");
  for (const char* const number : {"-1", "1e4", "10000.5", "1e300", "true", "\"10000\"", "18446744073709551615"}) {
    CAPTURE(number);
    with("\"size_bytes\":10000", std::string("\"size_bytes\":") + number);
    refused("damaged: size_bytes");
    with("\"table_crc32\":4275878552", std::string("\"table_crc32\":") + number);
    refused("damaged: table_crc32");
  }
  with("0x00000000  0x00000200", "0x00000001  0x00000200");
  refused("damaged: line");
  with("0x00000200  0x00002510", "0x00000200  0x00002511");
  refused("damaged: line");
  with("0x00000200  0x00002510", "0x00000200  0xFFFFFFFFFFFFFFFF");
  refused("damaged: line");
  with("0x00000200  0x00002510  ?", "0x00000200  0x00002510  *");
  refused("damaged: line");
  with("0x00000200  0x00002510  ?\n", "");
  refused("cut off");
  with("0x00000200  0x00002510  ?", "0x00000200  0x00002510  ?  +");
  refused("damaged: line");
  with("0x00000200  0x00002510  ?", "0x00000200  0x00000000  ?");
  refused("damaged: line");
  with("0x00000200  0x00002510  ?", "0x00000200  many  ?");
  refused("damaged: line");
}

TEST_CASE("Lines that other tools may add to a map mean nothing, and the first identity counts")
{
  const TemporaryFile file;
  ProgressMap map(kIdentity);
  map.add({0, 512});
  save_map(file.path(), map);
  std::string text = text_of(file.path());
  const std::size_t second_line = text.find('\n') + 1, end = text.find('\n', second_line) + 1;
  text.insert(end, "\n# a comment\n# gptgrow restore: another\n");
  std::ofstream(file.path()) << text;
  const auto loaded = load_map(file.path());
  REQUIRE(loaded);
  CHECK(loaded->identity().id == kIdentity.id);
  CHECK(loaded->first_missing(0) == 512);
}

TEST_CASE("A map that cannot be looked at is not taken for none")
{
  CHECK_THROWS_AS(load_map("/dev/null/map"), std::system_error);
}
