// SPDX-License-Identifier: BSD-3-Clause
#include "core/compare/changes.h"
#include "tests/unit/catch2.h"
#include "tests/unit/served_disk.h"

#include <functional>

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

TEST_CASE("A slot that was unused, and a header or an array where none was, are told as a whole")
{
  const Gpt gpt = gpt_of(served(two_partitions().bytes(), 512 * 512));
  const auto with = [&](const std::function<void(std::vector<std::byte>&)>& change) {
    std::vector<std::byte> before = two_partitions().bytes();
    change(before);
    return changes(MemorySource(before), gpt);
  };
  const auto fill = [](std::uint64_t at, std::size_t size, unsigned value) {
    return [=](std::vector<std::byte>& bytes) {
      std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), size, static_cast<std::byte>(value));
    };
  };
  const auto words = [](const std::vector<Change>& list, const std::string& structure, const std::string& field) {
    const Change& change = named(list, structure, field);
    return change.before_words + "; " + change.after_words;
  };
  const std::string slot_1 =
      "LBA 48-99, type A5A5A5A5-A5A5-A5A5-A5A5-A5A5A5A5A5A5, GUID 01010101-0101-0101-0101-010101010101";
  CHECK(words(with(fill(1024, 128, 0)), "primary array", "slot 1") == "unused, zeros; " + slot_1);
  // Without a type it is no entry, whatever its GUID.
  CHECK(words(with(fill(1024, 16, 0)), "primary array", "slot 1") == "unused, with junk; " + slot_1);
  CHECK(words(with(fill(1024 + 128, 1, 7)), "primary array", "slot 2").ends_with("; unused, zeros"));
  const std::string header = "; header with MyLBA 511, AlternateLBA 1, LastUsableLBA 478, PartitionEntryLBA 479";
  CHECK(words(with(fill(511 * 512, 512, 0)), "backup header", "") == "zeros" + header);
  CHECK(words(with(fill(511 * 512, 8, 0)), "backup header", "") == "512 bytes" + header);
  CHECK_THAT(words(with(fill(479 * 512, 16384, 0)), "backup array", ""),
             ContainsSubstring("zeros; 16384 bytes, CRC 0x"));
  CHECK(with(fill(0, 0, 0)).empty());
}

TEST_CASE("What a disk lacks of a structure is past its end, from its beginning on or from the middle")
{
  const Gpt gpt = gpt_of(served(two_partitions().bytes(), 700 * 512));
  for (const auto& [size, array, header] :
       {std::tuple{667 * 512, "past the end", "past the end"},
        std::tuple{667 * 512 + 1, "past the end from the middle on", "past the end"},
        std::tuple{700 * 512 - 1, "", "past the end from the middle on"}}) {
    std::vector<std::byte> before = two_partitions().bytes();
    before.resize(static_cast<std::size_t>(size), std::byte{7});
    const std::vector<Change> list = changes(MemorySource(before), gpt);
    CHECK(named(list, "backup header", "").before_words == header);
    if (*array)
      CHECK(named(list, "backup array", "").before_words == array);
  }
}

TEST_CASE("Every byte that a served disk has otherwise than its image is in a change, and no more than the table and "
          "the ends is")
{
  const TestDisk table = two_partitions();
  std::vector<std::byte> whole = table.bytes(), behind = whole, missing = whole;
  behind.resize(600 * 512 + 100, std::byte{0x77});
  missing.resize(300 * 512 + 100);
  for (const auto& image : {whole, behind, missing})
    for (const std::uint64_t sectors : {440U, 512U, 530U, 601U, 1000U})
      for (const OldBackup old_backup : {OldBackup::zero, OldBackup::keep}) {
        CAPTURE(image.size(), sectors, static_cast<int>(old_backup));
        const Disk disk =
            served(image, sectors * 512, {.policy = {.old_backup = old_backup, .truncated = Truncated::allow}});
        std::vector<std::byte> after = read_bytes(disk, {0, disk.size_bytes()}), before = image;
        const std::size_t both = std::min(before.size(), after.size());
        std::vector<bool> is_listed(std::max(before.size(), after.size()));
        for (const Change& change : changes(disk))
          std::fill_n(is_listed.begin() + static_cast<std::ptrdiff_t>(change.range.offset), change.range.size, true);
        for (std::size_t at = 0; at < both; ++at)
          if (before[at] != after[at] && !is_listed[at])
            FAIL("byte " << at << " is not listed");
        CHECK(std::count(is_listed.begin() + static_cast<std::ptrdiff_t>(both), is_listed.end(), false) == 0);
      }
}
