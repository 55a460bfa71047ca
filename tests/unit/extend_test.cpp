// SPDX-License-Identifier: BSD-3-Clause
#include "core/gpt/extend.h"

#include "core/error.h"
#include "core/gpt/header.h"
#include "tests/unit/catch2.h"
#include "tests/unit/served_disk.h"

using namespace gptgrow;

namespace {

Gpt table_of(const TestDisk& disk, std::uint64_t sectors)
{
  return gpt_of(served(disk.bytes(), sectors * disk.sector_size));
}

TestDisk with(std::vector<TestEntry> entries)
{
  TestDisk disk;
  disk.entries = std::move(entries);
  return disk;
}

/// The places in an array whose bytes differ.
std::vector<std::size_t> differing(const std::vector<std::byte>& a, const std::vector<std::byte>& b)
{
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (a[i] != b[i])
      places.push_back(i);
  return places;
}

void put_record(Gpt& table, std::size_t index, std::uint8_t type, std::uint32_t first, std::uint32_t count)
{
  const auto record = std::span(table.mbr.bytes).subspan(446 + 16 * index, 16);
  put_field(record, 4, type);
  put_field(record, 8, first);
  put_field(record, 12, count);
}

std::string refusal(Gpt table, SlotToExtend which)
{
  const Gpt before = table;
  try {
    (void)extend(table, which, "disk.raw");
  } catch (const Error& e) {
    for (std::size_t i = 0; i < table.all().size(); ++i)
      CHECK(table.all()[i]->bytes == before.all()[i]->bytes);
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("An end is the last one on 4096 bytes at or before LastUsableLBA")
{
  CHECK(last_extended_lba(Lba{999}, 512) == Lba{999});
  CHECK(last_extended_lba(Lba{1000}, 512) == Lba{999});
  CHECK(last_extended_lba(Lba{998}, 512) == Lba{991});
  CHECK(last_extended_lba(Lba{7}, 512) == Lba{7});
  CHECK(last_extended_lba(Lba{6}, 512) == std::nullopt);
  CHECK(last_extended_lba(Lba{0}, 4096) == Lba{0});
  CHECK(last_extended_lba(Lba{1001}, 4096) == Lba{1001});
  CHECK(last_extended_lba(max_lba(512), 512) == Lba{max_lba(512).value / 8 * 8 - 1});
}

TEST_CASE("EndingLBA and three CRCs are all that extending changes")
{
  const Gpt before = table_of(two_partitions(), 1000);
  Gpt after = before;
  // LastUsableLBA is 1000 - 34.
  CHECK(extend(after, {}, "") == Extension{3, Lba{200}, Lba{399}, Lba{959}});
  const std::vector<std::size_t> places{2 * 128 + 40, 2 * 128 + 41};
  CHECK(differing(before.primary_array.bytes, after.primary_array.bytes) == places);
  CHECK(differing(before.backup_array.bytes, after.backup_array.bytes) == places);
  for (const auto& [a, b] : {std::pair(&before.primary_header, &after.primary_header),
                             std::pair(&before.backup_header, &after.backup_header)}) {
    for (const std::size_t place : differing(a->bytes, b->bytes))
      CHECK(((place >= 16 && place < 20) || (place >= 88 && place < 92)));
    CHECK(Header(b->bytes).array_crc32() == crc32(after.array()));
    CHECK(Header(b->bytes).header_crc32() == Header(b->bytes).computed_header_crc32());
  }
  CHECK(before.mbr.bytes == after.mbr.bytes);

  const Gpt once = after;
  CHECK(extend(after, {3}, "") == Extension{3, Lba{200}, Lba{959}, Lba{959}});
  CHECK(after.primary_header.bytes == once.primary_header.bytes);
}

TEST_CASE("What cannot be extended is refused, and nothing is changed")
{
  const Gpt table = table_of(two_partitions(), 1000);
  CHECK_THAT(refusal(table, {2}), ContainsSubstring("disk.raw: slot 2 is unused"));
  CHECK_THAT(refusal(table, {128}), ContainsSubstring("slot 128 is unused"));
  CHECK_THAT(refusal(table, {129}), ContainsSubstring("slot 129, expected 1 to 128"));
  CHECK_THAT(refusal(table, {0}), ContainsSubstring("slot 0, expected 1 to 128"));
  CHECK_THAT(refusal(table, {1}), ContainsSubstring("behind that is slot 3, LBA 200-399"));
  CHECK_THAT(refusal(table_of(with({}), 1000), {}), ContainsSubstring("no slot is used"));
  CHECK_THAT(refusal(table_of(with({{1, 48, 399, 1}, {3, 200, 399, 3}}), 1000), {}),
             ContainsSubstring("slots 1 and 3 both end last, at LBA 399"));
  CHECK(refusal(table_of(with({{1, 48, 399, 1}, {3, 200, 399, 3}}), 1000), {3}).empty());
  CHECK_THAT(refusal(table_of(with({{1, 48, 400, 1}, {3, 200, 399, 3}}), 1000), {3}),
             ContainsSubstring("behind that is slot 1"));
  CHECK_THAT(refusal(table_of(with({{1, 48, 99, 1}, {3, 400, 399, 3}}), 1000), {3}),
             ContainsSubstring("StartingLBA 400, expected at most EndingLBA 399"));
  CHECK_THAT(refusal(table_of(with({{1, 48, 99, 1}, {3, 400, 99, 3}}), 1000), {1}),
             ContainsSubstring("behind that is slot 3"));
  // Of 512 sectors, the last usable one is 478.
  CHECK_THAT(refusal(table_of(with({{1, 48, 472, 1}}), 512), {1}),
             ContainsSubstring("would become shorter: EndingLBA 472, expected at most 471"));
  CHECK(refusal(table_of(with({{1, 48, 471, 1}}), 512), {1}).empty());
}

TEST_CASE("A partition of which a hybrid MBR knows is refused, wherever the record lies in it")
{
  // It becomes LBA 200-959.
  for (const auto& [first, count] :
       {std::pair(200U, 200U), {200U, 0U}, {100U, 101U}, {959U, 1U}, {500U, 9U}, {150U, UINT32_MAX}}) {
    Gpt table = table_of(two_partitions(), 1000);
    put_record(table, 3, 0x0c, first, count);
    CHECK_THAT(refusal(table, {}), ContainsSubstring("hybrid MBR"));
  }
  for (const auto& [first, count] : {std::pair(48U, 52U), {100U, 100U}, {960U, 1U}}) {
    Gpt table = table_of(two_partitions(), 1000);
    put_record(table, 1, 0x0c, first, count);
    put_record(table, 2, 0xee, 200, 200);
    put_record(table, 3, 0, 200, 200);
    CHECK(refusal(table, {}).empty());
  }
}

TEST_CASE("A slot to extend is last, or a number")
{
  CHECK_FALSE(parse_slot_to_extend("last").number);
  CHECK(parse_slot_to_extend("3").number == 3);
  CHECK(parse_slot_to_extend("4294967295").number == UINT32_MAX);
  for (const char* text : {"", "0", "-1", "+1", "3 ", "Last", "1,2", "4294967296", "0x3"})
    CHECK_THROWS_WITH(parse_slot_to_extend(text), ContainsSubstring("expected the number of a slot"));
}

TEST_CASE("An extended disk serves sectors of its own only where the array changes")
{
  const Disk disk = served(two_partitions().bytes(), 1000 * 512, {.extend = SlotToExtend{}});
  CHECK(disk.extension() == Extension{3, Lba{200}, Lba{399}, Lba{959}});
  CHECK(disk.used_entries().back().last_lba == Lba{959});
  CHECK(disk.table().used_entries().back().last_lba == Lba{399});
  std::vector<std::uint64_t> own;
  for (const Region& region : disk.layout().regions)
    if (region.origin == Origin::own)
      own.push_back(region.range.offset / 512);
  CHECK(own == std::vector<std::uint64_t>{0, 1, 2, 967, 999});
  for (const Header& header : {disk.layout().primary, disk.layout().backup}) {
    CHECK(header.array_crc32() == crc32(disk.array()));
    CHECK(header.header_crc32() == header.computed_header_crc32());
  }
  // What is behind the image is nobody's yet, also inside the partition.
  CHECK(disk.layout().free_space == ByteRange{512 * 512, (967 - 512) * 512});

  const Disk again = served(read_bytes(disk, {0, disk.size_bytes()}), 1000 * 512, {.extend = SlotToExtend{3}});
  CHECK(read_bytes(again, {0, again.size_bytes()}) == read_bytes(disk, {0, disk.size_bytes()}));
}
