// SPDX-License-Identifier: BSD-3-Clause
#include "core/compare/mbr_traces.h"
#include "core/compare/slot_matching.h"
#include "tests/unit/served_disk.h"

#include <fmt/format.h>

#include <cstring>

using namespace gptgrow;

namespace {

using Sector = std::vector<std::byte>;
constexpr std::uint64_t kEnd = 511;
constexpr const char *kLargest = "\xff\xff\xff", *kCalculated = "\x0b\x02\x01";

/// A record of an MBR; `chs` is where it ends.
void put_record(Sector& mbr, std::size_t index, unsigned boot_indicator, unsigned type, const char* chs,
                std::uint32_t first_lba, std::uint64_t sectors)
{
  const std::size_t at = 446 + 16 * index;
  mbr[at] = static_cast<std::byte>(boot_indicator);
  mbr[at + 2] = std::byte{2};
  mbr[at + 4] = static_cast<std::byte>(type);
  std::memcpy(mbr.data() + at + 5, chs, 3);
  put_field<std::uint32_t>(mbr, at + 8, first_lba);
  put_field<std::uint32_t>(mbr, at + 12, static_cast<std::uint32_t>(std::min<std::uint64_t>(sectors, UINT32_MAX)));
}

Sector mbr_with_signature(bool has_signature, std::size_t size = 512)
{
  Sector mbr(size);
  mbr[0] = std::byte{0xeb};
  if (has_signature)
    std::memcpy(mbr.data() + 440, "\1\2\3\4\5\6", 6);
  put_field<std::uint16_t>(mbr, 510, 0xaa55);
  return mbr;
}

Sector protective(bool has_signature, unsigned boot_indicator, const char* chs, std::uint64_t last_lba = kEnd,
                  std::size_t size = 512)
{
  Sector mbr = mbr_with_signature(has_signature, size);
  put_record(mbr, 0, boot_indicator, 0xee, chs, 1, last_lba);
  return mbr;
}

/// "gdisk fdisk": all who could have made `b` of `a`, with these tables.
std::string writers(const Sector& a, const Sector& b, Lba last_lba = Lba{kEnd},
                    const TestDisk& table_a = two_partitions(), const TestDisk& table_b = two_partitions())
{
  const FoundTables tables_a = find_tables(MemorySource(table_a.bytes()), 512),
                    tables_b = find_tables(MemorySource(table_b.bytes()), 512);
  const Side side_a{a, tables_a, last_lba}, side_b{b, tables_b, last_lba};
  const auto slots = match_slots(tables_a.primary, tables_b.primary).differences;
  const MbrTraces traces(side_a, side_b, slots);
  std::string text;
  for (const auto& [writer, name] :
       {std::pair{Writer::copy, "copy"}, std::pair{Writer::gdisk, "gdisk"}, std::pair{Writer::fdisk, "fdisk"},
        std::pair{Writer::sfdisk, "sfdisk"}, std::pair{Writer::parted, "parted"}})
    if (traces.could_be(writer))
      text += fmt::format("{}{}", text.empty() ? "" : " ", name);
  return text;
}

}  // namespace

TEST_CASE("Who writes an MBR is known by the signature, the active flag and the CHS that it leaves")
{
  const Sector active = protective(true, 0x80, kCalculated), inactive = protective(true, 0, kCalculated);
  CHECK(writers(active, protective(true, 0, kLargest)) == "fdisk");
  CHECK(writers(active, protective(true, 0x80, kLargest)) == "parted");
  CHECK(writers(inactive, protective(true, 0, kLargest)) == "fdisk parted");
  CHECK(writers(active, protective(false, 0, kLargest)) == "sfdisk");
  CHECK(writers(active, protective(false, 0, kCalculated)) == "gdisk");
  CHECK(writers(active, protective(false, 0x80, kLargest)).empty());
  CHECK(writers(active, protective(false, 0x80, kCalculated)).empty());
  CHECK(writers(active, active).empty());
  // Without a signature nothing is lost with it.
  CHECK(writers(protective(false, 0, kCalculated), protective(false, 0, kLargest)) == "fdisk sfdisk parted");
}

TEST_CASE("What is calculated may be the largest CHS on a disk that reaches it, and SizeInLBA may be the largest too")
{
  const Sector image = protective(true, 0x80, kCalculated);
  constexpr std::uint64_t kLimit = 1024 * 16 * 63;
  const auto on = [&](std::uint64_t last_lba) {
    return writers(image, protective(false, 0, kLargest, last_lba), Lba{last_lba});
  };
  CHECK(on(kLimit - 1) == "sfdisk");
  for (const std::uint64_t last_lba :
       {kLimit, std::uint64_t{UINT32_MAX}, std::uint64_t{UINT32_MAX} + 1, max_lba(512).value})
    CHECK(on(last_lba) == "gdisk sfdisk");
  CHECK(writers(image, protective(false, 0, kLargest, kLimit - 1), Lba{kLimit}).empty());
}

TEST_CASE("No byte of an MBR is another one but those that its writer sets")
{
  const Sector image = protective(true, 0x80, kCalculated);
  for (const Sector& written : {protective(true, 0, kLargest), protective(true, 0x80, kLargest),
                                protective(false, 0, kLargest), protective(false, 0, kCalculated)}) {
    const std::string before = writers(image, written);
    for (const std::size_t at : {0U, 439U, 440U, 445U, 446U, 447U, 448U, 449U, 450U, 454U, 458U, 462U, 509U, 510U}) {
      Sector other = written;
      other[at] ^= std::byte{4};
      CAPTURE(before, at);
      CHECK(writers(image, other).find(before) == std::string::npos);
    }
  }
}

TEST_CASE("Behind the MBR of a larger sector gdisk and sfdisk leave zeros, the others what is there")
{
  const auto with = [](Sector mbr, unsigned byte) {
    mbr[4095] = static_cast<std::byte>(byte);
    return mbr;
  };
  const Sector image = with(protective(true, 0, kCalculated, kEnd, 4096), 7);
  for (const auto& [mbr, kept, zeros] : {std::tuple{protective(true, 0, kLargest, kEnd, 4096), "fdisk parted", ""},
                                         std::tuple{protective(false, 0, kLargest, kEnd, 4096), "", "sfdisk"},
                                         std::tuple{protective(false, 0, kCalculated, kEnd, 4096), "", "gdisk"}}) {
    CHECK(writers(image, with(mbr, 7)) == kept);
    CHECK(writers(image, with(mbr, 0)) == zeros);
    CHECK(writers(image, with(mbr, 8)).empty());
  }
}

TEST_CASE(
    "gdisk keeps a hybrid MBR, fits what protects around it, and deletes the record of a partition with the partition")
{
  const auto hybrid = [](bool with_first, bool with_second, std::uint64_t protects) {
    Sector mbr = mbr_with_signature(true);
    if (with_first)
      put_record(mbr, 0, 0, 0x83, kCalculated, 48, 52);
    if (with_second)
      put_record(mbr, 1, 0, 0x0c, kCalculated, 200, 200);
    put_record(mbr, 2, 0, 0xee, kCalculated, 1, protects);
    return mbr;
  };
  const Sector image = hybrid(true, true, 47);
  CHECK(writers(image, image) == "gdisk fdisk");
  CHECK(writers(image, hybrid(true, true, 100)) == "gdisk");
  Sector chs = image;
  chs[446 + 6] ^= std::byte{1};
  CHECK(writers(image, chs) == "gdisk");
  const auto changed = [&](std::size_t at, unsigned value) {
    Sector mbr = image;
    mbr[at] = static_cast<std::byte>(value);
    return writers(image, mbr);
  };
  CHECK(changed(440, 9).empty());
  CHECK(changed(446, 0x80).empty());
  CHECK(changed(446 + 4, 7).empty());
  CHECK(changed(446 + 8, 49).empty());
  CHECK(changed(494 + 4, 7).empty());     // a record where there was none
  CHECK(changed(494 + 4, 0xee).empty());  // the same
  CHECK(changed(478 + 4, 7).empty());     // for the one that protects
  CHECK(writers(image, hybrid(false, true, 47)).empty());

  TestDisk without_second = two_partitions(), other_second = two_partitions(), none = two_partitions();
  without_second.entries.pop_back();
  other_second.entries[1].last_lba = 300;
  none.entries.clear();
  const auto edited = [&](const Sector& mbr, const TestDisk& table) {
    return writers(image, mbr, Lba{kEnd}, two_partitions(), table);
  };
  CHECK(edited(hybrid(true, false, 47), without_second) == "gdisk");
  CHECK(edited(image, without_second) == "fdisk");
  CHECK(edited(hybrid(true, false, 47), two_partitions()).empty());
  // One that was made again at another place has lost its record, too.
  CHECK(edited(hybrid(true, false, 47), other_second) == "gdisk");
  CHECK(edited(image, other_second) == "fdisk");
  // Another GUID in the same place: it may have been made again, with its record or without.
  TestDisk other_guid = two_partitions(), one_more = two_partitions();
  other_guid.entries[1].id = 9;
  one_more.entries.push_back({5, 410, 420, 5});
  CHECK(edited(image, other_guid) == "gdisk fdisk");
  CHECK(edited(hybrid(true, false, 47), other_guid) == "gdisk");
  CHECK(edited(image, one_more) == "gdisk fdisk");
  CHECK(edited(hybrid(true, false, 47), one_more).empty());
  // With the last record the MBR is written anew.
  CHECK(edited(protective(false, 0, kCalculated), none) == "gdisk");
  CHECK(edited(protective(false, 0, kCalculated), without_second).empty());
}
