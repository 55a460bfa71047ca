// SPDX-License-Identifier: BSD-3-Clause
#include "core/gpt/fields.h"
#include "core/report/inspection.h"
#include "tests/unit/catch2.h"
#include "tests/unit/served_disk.h"

#include <fmt/format.h>

using namespace gptgrow;

namespace {

std::string text_of(const std::vector<std::byte>& disk)
{
  return to_text(inspect(MemorySource(disk), std::nullopt), {});
}

std::string text_of(const TestDisk& disk)
{
  return text_of(disk.bytes());
}

}  // namespace

TEST_CASE("The size of a partition that no disk can hold is not told")
{
  const auto size_of_slot_1 = [](std::uint64_t first_lba, std::uint64_t last_lba) {
    TestDisk disk = two_partitions();
    disk.entries[0] = {1, first_lba, last_lba, 1};
    const std::string text = text_of(disk), line = fmt::format("     1 {:>14} {:>14} ", first_lba, last_lba);
    const std::size_t at = text.find(line);
    REQUIRE(at != std::string::npos);
    return text.substr(at + line.size(), 6);
  };
  CHECK(size_of_slot_1(48, 99) == "   26K");
  CHECK(size_of_slot_1(99, 48) == "     ?");
  CHECK(size_of_slot_1(0, UINT64_MAX) == "     ?");
  CHECK(size_of_slot_1(48, UINT64_MAX) == "     ?");
  CHECK(size_of_slot_1(48, UINT64_MAX / 2) == "     ?");
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

TEST_CASE("Without a backup, and with one of another disk, each header's fields stand by themselves")
{
  std::vector<std::byte> bytes = two_partitions().bytes();
  bytes[511 * 512 + 56] ^= std::byte{1};
  CHECK_THAT(text_of(bytes), ContainsSubstring("DiskGUID, primary") && ContainsSubstring("DiskGUID, backup"));
  bytes[511 * 512] ^= std::byte{1};
  CHECK_THAT(text_of(bytes), ContainsSubstring("none") && ContainsSubstring("DiskGUID, primary") &&
                                 !ContainsSubstring("DiskGUID, backup"));
  bytes[511 * 512] ^= std::byte{1};
  bytes[512] ^= std::byte{1};
  CHECK_THAT(text_of(bytes), !ContainsSubstring("DiskGUID, primary") && ContainsSubstring("DiskGUID, backup"));
}

TEST_CASE("The records of an MBR are told, with what they are, and what it lacks")
{
  std::vector<std::byte> disk = two_partitions().bytes();
  CHECK_THAT(text_of(disk),
             ContainsSubstring("MBR\n  boot code present, disk signature 0x00000000\n"
                               "  record 1: type 0xee (protective), from LBA 1, 511 sectors, active\n\n"));
  std::fill_n(disk.begin(), 440, std::byte{0});
  put_field<std::uint32_t>(disk, 440, 0xdeadbeef);
  disk[446] = std::byte{0};
  disk[498] = std::byte{0x0c};
  put_field<std::uint32_t>(disk, 502, 48);
  put_field<std::uint32_t>(disk, 506, 52);
  disk[511] = std::byte{0};
  CHECK_THAT(text_of(disk), ContainsSubstring("boot code none, disk signature 0xdeadbeef, no 55AAh at its end\n"
                                              "  record 1: type 0xee (protective), from LBA 1, 511 sectors\n"
                                              "  record 4: type 0x0c, from LBA 48, 52 sectors\n"));
}

TEST_CASE("Junk in an unused slot, a name and attributes are shown")
{
  TestDisk disk = two_partitions();
  std::vector<std::byte> bytes = disk.bytes();
  const auto array = std::span(bytes).subspan(1024, disk.array().size());
  array[4 * 128 + 70] = std::byte{1};
  array[48] = std::byte{5};
  array[56] = std::byte{'x'};
  const auto header = std::span(bytes).subspan(512, 512);
  put_field<std::uint32_t>(header, 88, crc32(array));
  put_field<std::uint32_t>(header, 16, 0);
  put_field<std::uint32_t>(header, 16, crc32(header.first(92)));
  const std::string text = text_of(bytes);
  CHECK_THAT(text, ContainsSubstring("       1  #_#.?... ........ "));
  CHECK_THAT(text, ContainsSubstring("A5A5, \"x\"\n") && ContainsSubstring("-010101010101, attributes 0x5\n") &&
                       ContainsSubstring("-030303030303\n"));
}

TEST_CASE("A partition behind the end of the disk is told, and such a disk is not drawn")
{
  std::vector<std::byte> disk = two_partitions().bytes();
  disk.resize(300 * 512);
  CHECK_THAT(text_of(disk),
             ContainsSubstring("  slot 3, reaches past the end of the disk\n") && !ContainsSubstring("\n  |"));
  TestDisk reversed = two_partitions();
  reversed.entries[0] = {1, 99, 48, 1};
  CHECK_THAT(text_of(reversed), !ContainsSubstring("\n  |"));
}

TEST_CASE("Of a disk without a valid table the headers are shown, each with what is wrong")
{
  std::vector<std::byte> disk = two_partitions().bytes();
  disk[512 + 40] ^= std::byte{1};
  CHECK_THAT(text_of(disk), ContainsSubstring("Slots of the backup table"));
  disk[511 * 512 + 40] ^= std::byte{1};
  CHECK_THAT(text_of(disk), ContainsSubstring("damaged             damaged\n") &&
                                ContainsSubstring("\n  primary: CRC") && ContainsSubstring("\n  backup: CRC") &&
                                !ContainsSubstring("Slots of"));
}
