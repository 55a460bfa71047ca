// SPDX-License-Identifier: BSD-3-Clause
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
