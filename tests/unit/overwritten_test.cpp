// SPDX-License-Identifier: BSD-3-Clause
#include "core/repair/overwritten.h"
#include "tests/unit/catch2.h"
#include "tests/unit/memory_source.h"
#include "tests/unit/power_cut.h"
#include "tests/unit/test_disk.h"

using namespace gptgrow;

TEST_CASE("Data is looked for where tables are named, and where they usually are")
{
  TestDisk image = {.sectors = 700,
                    .disk_end = 700,
                    .primary_array_lba = 40,
                    .first_usable_lba = 80,
                    .entries = {{1, 80, 150, 1}, {2, 151, 600, 2}}};
  Bytes on_image = image.bytes();
  for (std::size_t at = 2 * 512; at < 40 * 512; ++at)
    on_image[at] = std::byte{0x77};
  const auto source = in_memory(on_image);
  const Disk served(source, {on_image.size()}, {});
  const auto found_on = [&](const Bytes& disk) {
    const MemorySource memory(disk);
    std::vector<std::pair<ByteRange, std::string>> result;
    for (const Overwritten& each : overwritten(memory, find_tables(memory, 512), served))
      result.emplace_back(each.range, each.where);
    return result;
  };
  using Places = std::vector<std::pair<ByteRange, std::string>>;
  CHECK(found_on(on_image).empty());

  Bytes disk = on_image;
  const auto damage = [&](std::uint64_t first_lba, std::uint64_t count) {
    for (std::uint64_t lba = first_lba; lba < first_lba + count; ++lba)
      disk[lba * 512 + 7] ^= std::byte{1};
  };
  damage(3, 2);
  CHECK(found_on(disk) == Places{{{3 * 512, 1024}, "data in no partition"}});
  // An array that the damaged header names, in two partitions.
  disk = on_image;
  put_field<std::uint64_t>(std::span(disk), 512 + 72, 148);
  damage(149, 4);
  CHECK(found_on(disk) == Places{{{149 * 512, 1024}, "slot 1"}, {{151 * 512, 1024}, "slot 2"}});
  // It may name any place and any length.
  for (const std::uint64_t place : {std::uint64_t{690}, std::uint64_t{10'000}, UINT64_MAX}) {
    put_field<std::uint64_t>(std::span(disk), 512 + 72, place);
    CHECK(found_on(disk).empty());
  }
  put_field<std::uint64_t>(std::span(disk), 512 + 72, 148);
  put_field<std::uint32_t>(std::span(disk), 512 + 80, UINT32_MAX);
  CHECK(found_on(disk).empty());
  disk[512] = std::byte{0};
  CHECK(found_on(disk).empty());
}

TEST_CASE("What was overwritten is told by what the image has there, and whether a file has it in that place")
{
  TestDisk table = {.sectors = 700, .disk_end = 700, .primary_array_lba = 40, .first_usable_lba = 80, .entries = {}};
  Bytes image = table.bytes();
  const auto put = [&](std::uint64_t lba, std::string_view text) {
    std::ranges::copy(std::as_bytes(std::span(text)), image.begin() + static_cast<std::ptrdiff_t>(lba * 512));
  };
  put(2, "PM");
  put(3, "PM");
  put(4, "data");
  // Zeros outside a partition are nothing that could be lost.
  Bytes found = image;
  for (const std::uint64_t lba : {2U, 3U, 4U, 6U})
    found[lba * 512 + 100] = std::byte{1};
  class Elsewhere : public MemorySource {
  public:
    Elsewhere(Bytes bytes, std::uint64_t by) : MemorySource(std::move(bytes)), by_(by) {}
    std::optional<FileRange> file_range(ByteRange range) const override { return FileRange{0, range.offset + by_}; }

  private:
    std::uint64_t by_;
  };
  const MemorySource disk(found);
  const auto told = [&](std::shared_ptr<const Source> source) {
    return overwritten(disk, find_tables(disk, 512), Disk(std::move(source), {image.size()}, {}));
  };
  const auto places = told(in_memory(image));
  REQUIRE(places.size() == 2);
  CHECK(places[0].range == ByteRange{1024, 1024});
  CHECK(places[0].where == "an Apple partition map");
  CHECK(places[1].range == ByteRange{2048, 512});
  CHECK(places[1].where == "data in no partition");
  for (const Overwritten& each : places)
    CHECK_FALSE(each.is_in_file);
  for (const std::uint64_t by : {0U, 512U})
    for (const Overwritten& each : told(std::make_shared<const Elsewhere>(image, by)))
      CHECK(each.is_in_file == (by == 0));
}

TEST_CASE("What the image lacks was not written over, and places that do not touch are told one by one")
{
  TestDisk table = {.sectors = 700,
                    .disk_end = 700,
                    .primary_array_lba = 40,
                    .first_usable_lba = 80,
                    .entries = {{1, 80, 150, 1}, {2, 151, 600, 2}}};
  Bytes image = table.bytes(), found = image;
  image.resize(300 * 512 + 100);
  put_field<std::uint64_t>(found, 512 + 72, 290);
  for (const std::uint64_t lba : {291U, 293U, 299U, 300U, 301U, 310U})
    found[lba * 512 + 7] ^= std::byte{1};
  const MemorySource disk(found);
  const Disk served(in_memory(image), {found.size()}, {.policy = {.truncated = Truncated::allow}});
  std::vector<ByteRange> ranges;
  for (const Overwritten& each : overwritten(disk, find_tables(disk, 512), served))
    ranges.push_back(each.range);
  CHECK(ranges == std::vector<ByteRange>{{291 * 512, 512}, {293 * 512, 512}, {299 * 512, 512}});
}
