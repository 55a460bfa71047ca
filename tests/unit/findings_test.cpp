// SPDX-License-Identifier: BSD-3-Clause
// Each trace that compare knows, left by itself on a disk that is otherwise what it should be.
#include "tests/unit/catch2.h"
#include "tests/unit/compared.h"

#include <algorithm>

using namespace gptgrow;

TEST_CASE("Entries in other slots are told apart by their order")
{
  const TestDisk image = disk_with_gap();
  TestDisk disk = grown(image);
  disk.entries = {{1, 64, 79, 1}, {2, 200, 259, 2}, {3, 80, 95, 5}, {4, 96, 199, 6}};
  CHECK(traces(image, disk) == std::vector{Trace::gap_closed});
  CHECK_THAT(compared(image.bytes(), disk.bytes()).findings.at(0).text, ContainsSubstring("slots 5-6 moved to 3-4"));
  disk.entries = {{1, 64, 79, 1}, {2, 80, 95, 5}, {3, 96, 199, 6}, {4, 200, 259, 2}};
  CHECK(traces(image, disk) == std::vector{Trace::entries_sorted});
  disk.entries = {{1, 64, 79, 1}, {2, 200, 259, 2}, {9, 80, 95, 5}, {6, 96, 199, 6}};
  CHECK(traces(image, disk) == std::vector{Trace::entries_moved});
}

TEST_CASE("Entries may be sorted with the gap closed, or moved beside others that are lost and changed")
{
  const TestDisk image = disk_with_gap();
  const auto text = [&](const std::vector<TestEntry>& entries) {
    TestDisk disk = grown(image);
    disk.entries = entries;
    return compared(image.bytes(), disk.bytes()).findings.at(0).text;
  };
  CHECK(text({{1, 64, 79, 1}, {2, 80, 95, 5}, {3, 96, 199, 6}, {4, 200, 259, 2}}) ==
        "entries sorted by StartingLBA, gap closed: slot 2 moved to 4, slots 5-6 moved to 2-3");
  CHECK(text({{1, 64, 79, 1}, {2, 80, 95, 5}, {5, 96, 199, 6}, {6, 200, 259, 2}}) ==
        "entries sorted by StartingLBA: slot 2 moved to 6, slot 5 moved to 2, slot 6 moved to 5");
  CHECK(text({{1, 64, 78, 1}, {2, 200, 259, 2}, {3, 96, 199, 6}}) == "gap closed: slot 6 moved to 3");
  CHECK(text({{1, 64, 79, 1}, {9, 200, 259, 2}, {5, 80, 95, 5}, {6, 96, 199, 6}}) ==
        "entries sorted by StartingLBA: slot 2 moved to 9");
  CHECK(text({{1, 80, 95, 5}, {2, 64, 79, 1}, {5, 96, 199, 6}, {9, 200, 259, 2}}) ==
        "entries in other slots: slot 1 moved to 2, slot 2 moved to 9, slot 5 moved to 1, slot 6 moved to 5");
}

TEST_CASE("Entries that are lost, added, grown or elsewhere")
{
  const TestDisk image = disk_with_gap();
  TestDisk disk = grown(image);
  disk.entries.pop_back();
  CHECK(traces(image, disk) == std::vector{Trace::entries_missing});
  disk = grown(image);
  disk.entries.push_back({9, 300, 310, 9});
  CHECK(traces(image, disk) == std::vector{Trace::entries_added});
  disk = grown(image);
  disk.entries[1].last_lba = 600;
  CHECK(traces(image, disk) == std::vector{Trace::partition_grown});
  disk = grown(image);
  disk.entries[1].first_lba = 201;
  CHECK(traces(image, disk) == std::vector{Trace::extents_changed});
  disk = grown(image);
  disk.entries[1].last_lba = 258;
  CHECK(traces(image, disk) == std::vector{Trace::extents_changed});
  disk = grown(image);
  disk.entries[1].id = 77;
  CHECK(traces(image, disk) == std::vector{Trace::partition_guids_changed});
}

TEST_CASE("All lost partitions are named")
{
  const TestDisk image = disk_with_gap();
  TestDisk disk = grown(image);
  disk.entries = {{2, 200, 259, 2}};
  const Comparison comparison = compared(image.bytes(), disk.bytes());
  REQUIRE(comparison.findings.size() == 1);
  CHECK(comparison.findings[0].text == "partitions lost: slots 1, 5-6 of A");
}

TEST_CASE("A zeroed MBR lacks its protective record")
{
  const TestDisk image = disk_with_gap();
  std::vector<std::byte> disk = grown(image).bytes();
  std::fill_n(disk.begin(), 512, std::byte{0});
  const Comparison comparison = compared(image.bytes(), disk);
  REQUIRE(comparison.findings.size() == 1);
  CHECK(comparison.findings[0].trace == Trace::protective_record_lost);
  CHECK(comparison.findings[0].text == "the protective record is gone: the MBR is zeroed");
  CHECK(comparison.tools.empty());
}

TEST_CASE("Each field of the MBR bears its own trace")
{
  using enum Trace;
  const TestDisk image = disk_with_gap();
  const auto changed = [&](std::size_t at, unsigned value, std::size_t in_image = 0, unsigned of_image = 0) {
    std::vector<std::byte> a = image.bytes(), b = grown(image).bytes();
    for (auto* bytes : {&a, &b})
      (*bytes)[in_image] = static_cast<std::byte>(of_image);
    b[at] = static_cast<std::byte>(value);
    return traces(a, b);
  };
  CHECK(changed(0, 1) == std::vector{mbr_changed});
  CHECK(changed(440, 0, 440, 7) == std::vector{disk_signature_zeroed});
  CHECK(changed(440, 8, 440, 7) == std::vector{mbr_changed});
  CHECK(changed(447, 5) == std::vector{chs_rewritten});
  CHECK(changed(446, 0x81) == std::vector{active_flag_cleared});
  CHECK(changed(446, 0x01, 446, 0) == std::vector{mbr_changed});
  CHECK(changed(454, 2) == std::vector{mbr_changed});
  CHECK(changed(458, 2) == std::vector{mbr_changed});
  CHECK(changed(510, 0) == std::vector{mbr_changed});
  // The records of what is gone need not be told as well.
  CHECK(changed(450, 0x83) == std::vector{protective_record_lost});
  CHECK_THAT(compared(image.bytes(),
                      [&] {
                        auto bytes = grown(image).bytes();
                        bytes[450] = std::byte{0x83};
                        return bytes;
                      }())
                 .findings.at(0)
                 .text,
             ContainsSubstring("no record of the MBR has type 0xEE"));
  CHECK(changed(466, 0, 466, 0x83) == std::vector{hybrid_lost});
  CHECK(changed(466, 7, 466, 0x83) == std::vector{mbr_changed});
}

TEST_CASE("A table that protects less than a disk that has grown was left behind")
{
  const TestDisk image = disk_with_gap();
  std::vector<std::byte> disk = image.bytes();
  disk.resize(kGrownSectors * 512);
  CHECK(traces(image.bytes(), disk) == std::vector{Trace::backup_left_behind});
  // With its protective record gone, that is told.
  disk[450] = std::byte{0x83};
  CHECK(traces(image.bytes(), disk) == std::vector{Trace::backup_left_behind, Trace::protective_record_lost});
}

TEST_CASE("Headers, arrays and MBR")
{
  TestDisk image = disk_with_gap();
  TestDisk disk = grown(image);
  disk.boot_indicator = 0;
  CHECK(traces(image, disk) == std::vector{Trace::active_flag_cleared});

  disk = image;
  disk.sectors = kGrownSectors;
  CHECK(traces(image, disk) == std::vector{Trace::backup_left_behind});

  image.primary_array_lba = 10;
  disk = grown(image);
  disk.primary_array_lba = 2;
  CHECK(traces(image, disk) == std::vector{Trace::array_moved});

  image = disk_with_gap();
  image.header_tail = 0x5a;
  disk = grown(image);
  disk.header_tail = 0;
  CHECK(traces(image, disk) == std::vector{Trace::header_tail_lost});

  image = disk_with_gap();
  disk = grown(image);
  disk.entry_count = 64;
  CHECK_THAT(compared(image.bytes(), disk.bytes()).findings.at(0).text, ContainsSubstring("array of another shape"));

  image = disk_with_gap();
  disk = grown(image);
  disk.entry_size = 256;
  disk.entry_count = 64;
  CHECK(traces(image, disk) == std::vector{Trace::array_shape_changed});

  disk = grown(image);
  disk.first_usable_lba = 47;
  CHECK_THAT(compared(image.bytes(), disk.bytes()).findings.at(0).text,
             ContainsSubstring("FirstUsableLBA of the primary header changed from 48 to 47"));
}

TEST_CASE("Bytes of unused slots count")
{
  const TestDisk image = disk_with_gap();
  // An unused slot with junk, CRCs made right by hand.
  const auto with_junk = [](const TestDisk& disk) {
    std::vector<std::byte> bytes = disk.bytes();
    std::vector<std::byte> array = disk.array();
    array[3 * 128 + 100] = std::byte{0x6d};
    for (const std::uint64_t lba : {std::uint64_t{1}, disk.disk_end - 1}) {
      const auto header = std::span(bytes).subspan(lba * 512, 512);
      const auto array_lba = get_field<std::uint64_t>(header, 72);
      std::memcpy(bytes.data() + array_lba * 512, array.data(), array.size());
      put_field<std::uint32_t>(header, 88, crc32(array));
      put_field<std::uint32_t>(header, 16, 0);
      put_field<std::uint32_t>(header, 16, crc32(header.first(92)));
    }
    return bytes;
  };
  CHECK(compared(with_junk(image), with_junk(grown(image))).same());
  CHECK(traces(with_junk(image), grown(image).bytes()) == std::vector{Trace::unused_slots_changed});
}

TEST_CASE("A header that ends the usable area elsewhere, or has its backup's array elsewhere, has changed")
{
  const TestDisk image = disk_with_gap();
  const auto resealed = [&](std::vector<std::byte> bytes, std::initializer_list<std::uint64_t> lbas, std::size_t field,
                            std::uint64_t value) {
    for (const std::uint64_t lba : lbas) {
      const auto header = std::span(bytes).subspan(lba * 512, 512);
      put_field<std::uint64_t>(header, field, value);
      put_field<std::uint32_t>(header, 16, 0);
      put_field<std::uint32_t>(header, 16, crc32(header.first(92)));
    }
    return bytes;
  };
  const Comparison shorter = compared(image.bytes(), resealed(grown(image).bytes(), {1, 699}, 48, 600));
  REQUIRE(shorter.findings.size() == 1);
  CHECK(shorter.findings[0].text == "LastUsableLBA is 600, expected 666");
  std::vector<std::byte> moved = grown(image).bytes();
  std::copy_n(moved.begin() + 667 * 512, 32 * 512, moved.begin() + 660 * 512);
  moved = resealed(resealed(moved, {699}, 72, 660), {1, 699}, 48, 650);
  const auto findings = compared(image.bytes(), moved).findings;
  REQUIRE(findings.size() == 2);
  CHECK(findings[0].text == "array moved: backup header says PartitionEntryLBA 660, was 667");
}

TEST_CASE("A table without entries is dense, and the only entry that moves fills a gap or does not")
{
  TestDisk image{.entries = {{3, 64, 79, 1}}}, disk = grown(image);
  disk.entries[0].slot = 1;
  CHECK(traces(image, disk) == std::vector{Trace::gap_closed});
  disk.entries[0].slot = 2;
  CHECK(traces(image, disk) == std::vector{Trace::entries_moved});
  disk.entries.clear();
  CHECK(traces(image, disk) == std::vector{Trace::entries_missing});
}

TEST_CASE("Entries in other slots close no gap where there is none, and sort nothing that is sorted")
{
  TestDisk image{.entries = {{1, 64, 79, 1}, {2, 80, 95, 2}}}, disk = grown(image);
  disk.entries = {{2, 64, 79, 1}, {1, 80, 95, 2}};
  CHECK(traces(image, disk) == std::vector{Trace::entries_moved});
  disk.entries = {{2, 80, 95, 1}, {1, 64, 79, 2}};
  CHECK(traces(image, disk) == std::vector{Trace::entries_moved, Trace::extents_changed});
}

TEST_CASE("All fields of entries that changed are named, with their slots")
{
  const TestDisk image = disk_with_gap();
  std::vector<std::byte> disk = grown(image).bytes();
  std::vector<std::byte> array = grown(image).array();
  array[48] = array[5 * 128 + 48] = std::byte{4};
  array[128 + 56] = std::byte{'x'};
  for (const std::uint64_t lba : {1U, 699U}) {
    const auto header = std::span(disk).subspan(lba * 512, 512);
    std::ranges::copy(array, disk.begin() + static_cast<std::ptrdiff_t>(get_field<std::uint64_t>(header, 72) * 512));
    put_field<std::uint32_t>(header, 88, crc32(array));
    put_field<std::uint32_t>(header, 16, 0);
    put_field<std::uint32_t>(header, 16, crc32(header.first(92)));
  }
  const auto findings = compared(image.bytes(), disk).findings;
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].trace == Trace::entry_fields_changed);
  CHECK(findings[0].text == "Attributes changed: slots 1, 6; PartitionName changed: slot 2");
}

TEST_CASE("An MBR that protects nothing on either side has lost nothing, and a damaged table left no backup behind")
{
  using enum Trace;
  const TestDisk image = disk_with_gap();
  std::vector<std::byte> a = image.bytes(), b = grown(image).bytes();
  a[450] = b[450] = std::byte{0};
  CHECK(std::ranges::count(traces(a, b), protective_record_lost) == 0);
  b = grown(image).bytes();
  b[458] = std::byte{9};
  b[512 + 60] ^= std::byte{1};
  CHECK(traces(image.bytes(), b) == std::vector{primary_bad, mbr_changed});
}
