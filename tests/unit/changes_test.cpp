// SPDX-License-Identifier: BSD-3-Clause
#include "core/compare/changes.h"
#include "tests/unit/catch2.h"
#include "tests/unit/served_disk.h"

using namespace gptgrow;

namespace {

const Change& named(const std::vector<Change>& list, const std::string& structure, const std::string& field)
{
  for (const Change& change : list)
    if (change.structure == structure && change.field == field)
      return change;
  FAIL(structure << ", " << field << " is not listed");
  return list.front();
}

}  // namespace

TEST_CASE("What a grown disk changes is listed field by field, in order of place")
{
  const std::vector<Change> list = changes(served(two_partitions().bytes(), 1000 * 512));
  CHECK(std::ranges::is_sorted(list, {}, [](const Change& change) { return change.range.offset; }));
  CHECK(named(list, "primary header", "AlternateLBA").before_words == "511");
  CHECK(named(list, "primary header", "AlternateLBA").after_words == "999");
  CHECK(named(list, "primary header", "LastUsableLBA").after_words == "966");
  CHECK(named(list, "old backup array", "").after_words == "zeros");
  CHECK(named(list, "grown area", "").range == ByteRange{512 * 512, (967 - 512) * 512});
  CHECK(named(list, "backup header", "").range == ByteRange{999 * 512, 512});
}

TEST_CASE("A disk of the image's own size changes nothing, and a shrunk one is cut off")
{
  CHECK(changes(served(two_partitions().bytes(), 512 * 512)).empty());
  const std::vector<Change> list = changes(served(two_partitions().bytes(), 440 * 512));
  CHECK(named(list, "cut off", "").range == ByteRange{440 * 512, (512 - 440) * 512});
}

TEST_CASE("An entry of the same GUID is compared field by field, another one as a whole")
{
  const Disk disk = served(two_partitions().bytes(), 512 * 512);
  TestDisk other = two_partitions();
  other.entries[1].last_lba = 410;
  other.entries[0].id = 9;
  std::vector<Change> list;
  for_each_change(MemorySource(other.bytes()), disk, [&](const Change& change) { list.push_back(change); });
  CHECK(named(list, "primary array", "slot 3 EndingLBA").before_words == "410");
  CHECK(named(list, "primary array", "slot 3 EndingLBA").after_words == "399");
  CHECK(named(list, "primary array", "slot 1").range.size == 128);
  CHECK(named(list, "backup array", "slot 1").range.size == 128);
  CHECK(std::ranges::is_sorted(list, {}, [](const Change& change) { return change.range.offset; }));
}

TEST_CASE("No byte that differs is left out")
{
  // The last sector of an array of five entries holds more than they.
  TestDisk image = two_partitions();
  image.entry_count = 5;
  const Disk disk = served(image.bytes(), 512 * 512);
  const Gpt gpt = gpt_of(disk);
  for (const Structure* structure : gpt.all())
    for (std::size_t at = 0; at < structure->bytes.size(); at += 37) {
      std::vector<std::byte> bytes = image.bytes();
      const std::uint64_t place = structure->offset + at;
      bytes[place] ^= std::byte{0x40};
      INFO(name_of(structure->role) << " byte " << at);
      const std::vector<Change> list = changes(MemorySource(bytes), gpt);
      REQUIRE(std::ranges::any_of(
          list, [&](const Change& change) { return change.range.offset <= place && place < change.range.end(); }));
    }
}

TEST_CASE("An MBR of zeros is one change of the whole MBR that is there")
{
  std::vector<std::byte> image = two_partitions().bytes();
  std::fill_n(image.begin(), 512, std::byte{0});
  const Gpt gpt = gpt_of(served(image, 512 * 512));
  const std::vector<Change> list = changes(MemorySource(two_partitions().bytes()), gpt);
  REQUIRE(list.size() == 1);
  CHECK(named(list, "MBR", "").range == ByteRange{0, 512});
  CHECK(list.front().before_words == "512 bytes");
  CHECK(list.front().after_words == "zeros");
}

TEST_CASE("What an image lacks of a partition, and the free space behind it, are one grown area")
{
  std::vector<std::byte> image = two_partitions().bytes();
  image.resize(300 * 512 + 100);
  const std::vector<Change> list = changes(served(image, 1000 * 512, {.policy = {.truncated = Truncated::allow}}));
  CHECK(named(list, "grown area", "").range == ByteRange{300 * 512 + 100, 967 * 512 - 300 * 512 - 100});
}
