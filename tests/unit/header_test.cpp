// SPDX-License-Identifier: BSD-3-Clause
#include "core/gpt/header.h"
#include "tests/unit/catch2.h"

#include <fmt/core.h>

using namespace gptgrow;

namespace {

/// A primary header without problems: 128 entries of 128 bytes at LBA 2, usable 34 to 2014, backup at 2047.
std::vector<std::byte> good_sector(std::uint32_t sector_size_bytes = 512)
{
  std::vector<std::byte> sector(sector_size_bytes, std::byte{0x77});
  put_field<std::uint64_t>(sector, 0, 0x5452415020494645);  // "EFI PART"
  put_field<std::uint32_t>(sector, 8, 0x00010000);
  put_field<std::uint32_t>(sector, 12, 92);
  put_field<std::uint64_t>(sector, 24, 1);
  put_field<std::uint64_t>(sector, 32, 2047);
  put_field<std::uint64_t>(sector, 40, 34);
  put_field<std::uint64_t>(sector, 48, 2014);
  put_field<std::uint64_t>(sector, 72, 2);
  put_field<std::uint32_t>(sector, 80, 128);
  put_field<std::uint32_t>(sector, 84, 128);
  put_field<std::uint32_t>(sector, 88, 0xab54d286);
  return sector;
}

template <typename T>
Header sealed_with(std::size_t offset, T value)
{
  auto sector = good_sector();
  put_field<T>(sector, offset, value);
  Header header(sector);
  if (header.header_size_bytes() <= sector.size())
    header.seal();
  return header;
}

std::string first_problem(const Header& header, Lba at = kPrimaryLba)
{
  const auto found = problems(header, at);
  return found.empty() ? "" : found.front().field + " " + found.front().found + ", expected " + found.front().expected;
}

}  // namespace

TEST_CASE("Fields are read where UEFI puts them")
{
  const Header header = sealed_with<std::uint64_t>(56, 0x11d2f81fc12a7328);
  CHECK(header.has_signature());
  CHECK(header.my_lba() == Lba{1});
  CHECK(header.alternate_lba() == Lba{2047});
  CHECK(header.first_usable_lba() == Lba{34});
  CHECK(header.last_usable_lba() == Lba{2014});
  CHECK(header.partition_entry_lba() == Lba{2});
  CHECK(header.entry_count() == 128);
  CHECK(header.entry_size_bytes() == 128);
  CHECK(header.array_crc32() == 0xab54d286);
  CHECK(header.array_sectors() == 32);
  CHECK(guid_text(header.disk_guid()).substr(0, 18) == "C12A7328-F81F-11D2");
  CHECK(first_problem(header).empty());
}

TEST_CASE("The CRC is UEFI's")
{
  // The check value that catalogues of CRCs give for this one.
  const std::string text = "123456789";
  CHECK(crc32(std::as_bytes(std::span(text))) == 0xcbf43926);
}

TEST_CASE("Setters and the seal change their fields and the CRC, and no other bit of the sector")
{
  Header header = sealed_with<std::uint32_t>(12, 96);
  auto expected = std::vector<std::byte>(header.sector().begin(), header.sector().end());
  header.set_my_lba(Lba{99});
  header.set_alternate_lba(Lba{1});
  header.set_last_usable_lba(Lba{60});
  header.set_partition_entry_lba(Lba{67});
  header.seal();
  put_field<std::uint64_t>(expected, 24, 99);
  put_field<std::uint64_t>(expected, 32, 1);
  put_field<std::uint64_t>(expected, 48, 60);
  put_field<std::uint64_t>(expected, 72, 67);
  put_field<std::uint32_t>(expected, 16, header.header_crc32());
  CHECK(std::ranges::equal(header.sector(), expected));
  CHECK(header.header_crc32() == header.computed_header_crc32());
}

TEST_CASE("Each problem names the field, the value found and the value expected")
{
  CHECK(first_problem(sealed_with<std::uint64_t>(0, 0x5452415020494658)) ==
        "signature \"XFI PART\", expected \"EFI PART\"");
  CHECK(first_problem(sealed_with<std::uint32_t>(8, 0x00020000)) == "revision 0x00020000, expected 0x00010000");
  CHECK(first_problem(sealed_with<std::uint32_t>(12, 91)) == "HeaderSize 91, expected 92 to 512");
  CHECK(first_problem(sealed_with<std::uint32_t>(12, 513)) == "HeaderSize 513, expected 92 to 512");
  CHECK(first_problem(sealed_with<std::uint64_t>(24, 7)) == "MyLBA 7, expected 1");
  for (const std::uint32_t size : {0U, 64U, 127U, 129U, 192U, 384U})
    CHECK_THAT(first_problem(sealed_with<std::uint32_t>(84, size)), ContainsSubstring("SizeOfPartitionEntry"));
  CHECK(first_problem(sealed_with<std::uint32_t>(80, 0)) == "NumberOfPartitionEntries 0, expected at least 1");
  CHECK(first_problem(sealed_with<std::uint32_t>(80, 131073)) ==
        "partition entry array 16777344 bytes, expected at most 16777216 bytes");
  CHECK(first_problem(sealed_with<std::uint64_t>(32, UINT64_MAX)) ==
        "AlternateLBA 18446744073709551615, expected at most 18014398509481982");
  CHECK_THAT(first_problem(sealed_with<std::uint64_t>(40, UINT64_MAX)), ContainsSubstring("FirstUsableLBA"));
  CHECK_THAT(first_problem(sealed_with<std::uint64_t>(48, UINT64_MAX)), ContainsSubstring("LastUsableLBA"));
  CHECK_THAT(first_problem(sealed_with<std::uint64_t>(72, UINT64_MAX)), ContainsSubstring("PartitionEntryLBA"));
  CHECK(first_problem(sealed_with<std::uint64_t>(40, 2015)) ==
        "FirstUsableLBA 2015, expected at most LastUsableLBA 2014");
}

TEST_CASE("A wrong CRC is told with the right one")
{
  auto sector = good_sector();
  Header header(sector);
  header.seal();
  put_field<std::uint32_t>(sector, 16, header.header_crc32() ^ 1);
  CHECK(first_problem(Header(sector)) ==
        fmt::format("CRC 0x{:08x}, expected 0x{:08x}", header.header_crc32() ^ 1, header.header_crc32()));
}

TEST_CASE("An array over the MBR, a header or the usable area is a problem, one that just fits is none")
{
  const auto lba = GENERATE(0U, 1U, 3U, 34U, 2000U, 2048U);
  CAPTURE(lba);
  CHECK_THAT(first_problem(sealed_with<std::uint64_t>(72, lba)), ContainsSubstring("PartitionEntryLBA"));
  CHECK(first_problem(sealed_with<std::uint64_t>(40, 35)).empty());
}

TEST_CASE("A backup header is judged at its own place")
{
  auto sector = good_sector();
  put_field<std::uint64_t>(sector, 24, 2047);
  put_field<std::uint64_t>(sector, 32, 1);
  put_field<std::uint64_t>(sector, 72, 2015);
  Header header(sector);
  header.seal();
  CHECK(first_problem(header, Lba{2047}).empty());
  CHECK(first_problem(header, Lba{2046}) == "MyLBA 2047, expected 2046");
  header.set_partition_entry_lba(Lba{2016});
  header.seal();
  CHECK_THAT(first_problem(header, Lba{2047}), ContainsSubstring("before its header at LBA 2047"));
}
