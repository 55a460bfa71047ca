// SPDX-License-Identifier: BSD-3-Clause
#include "core/restore/verify.h"

#include "core/error.h"
#include "core/restore/unfinished_mark.h"
#include "core/target/chunk.h"
#include "tests/unit/served_disk.h"
#include "tests/unit/temporary_file.h"
#include "tests/unit/watched_source.h"

using namespace gptgrow;

namespace {

/// A disk, and a file that holds it to the last byte.
struct Verified {
  /// Ten times as large, not all of its chunks are on their way at once.
  explicit Verified(std::uint64_t times = 1) : image(make_image(times)), disk(image, {times * 2000 * 512}, {})
  {
    file.resize(disk.size_bytes());
    put(0, read_bytes(disk, {0, disk.size_bytes()}));
  }

  static std::shared_ptr<WatchedSource> make_image(std::uint64_t times)
  {
    TestDisk table = two_partitions();
    table.sectors = table.disk_end = times * 1600;
    table.entries.push_back({5, times * 1400, times * 1500, 5});
    std::vector<std::byte> bytes = table.bytes();
    bytes.resize(times * 1450 * 512);
    auto made = std::make_shared<WatchedSource>(std::move(bytes));
    made->resize(times * 1600 * 512);
    return made;
  }

  void put(std::uint64_t offset, std::span<const std::byte> bytes) const
  {
    file.write(offset, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  void put_back() const
  {
    for (const TablePlace& place : table)
      put(place.range.offset, read_bytes(disk, place.range));
  }
  void wipe(const TablePlace& place) const { put(place.range.offset, std::vector<std::byte>(place.range.size)); }
  void flip(std::uint64_t offset) const
  {
    auto byte = read_bytes(FileSource(file.path()), {offset, 1});
    byte.front() ^= std::byte{1};
    put(offset, byte);
  }

  Verification run(const VerifyOptions& options = {})
  {
    return verify(disk, DirectSource(file.path()), options, monitor);
  }

  std::shared_ptr<WatchedSource> image;
  Disk disk;
  TemporaryFile file;
  Monitor monitor;
  std::array<TablePlace, 5> table = table_places(disk);  // MBR, primary header, its array, backup array, its header
};

}  // namespace

TEST_CASE("What was written is the same, but for free space unless that is asked for")
{
  Verified fixture;
  const Verification all = fixture.run({.free_space = true});
  CHECK(all.same());
  CHECK(all.data_compared);
  CHECK(all.compared_bytes == fixture.monitor.total_bytes);
  fixture.flip(fixture.disk.layout().free_space.offset + 1000);
  CHECK(fixture.run().same());
  const Verification with_free_space = fixture.run({.free_space = true});
  REQUIRE(with_free_space.difference);
  CHECK(with_free_space.difference->offset == fixture.disk.layout().free_space.offset + 1000);
  CHECK(with_free_space.difference->piece.is_free_space());
  const Verification table_alone = fixture.run({.data = false});
  CHECK(table_alone.same());
  CHECK_FALSE(table_alone.data_compared);
  fixture.file.resize(fixture.disk.size_bytes() - 512);
  CHECK_THROWS_AS(fixture.run(), Error);
}

TEST_CASE("The first byte that differs is told, with its partition, what it is and what it should be")
{
  Verified fixture;
  fixture.flip(1470 * 512 + 3);  // the image has a hole there
  const auto in_hole = fixture.run().difference;
  REQUIRE(in_hole);
  CHECK(in_hole->offset == 1470 * 512 + 3);
  CHECK(in_hole->expected == std::byte{0});
  CHECK(in_hole->entry->first_lba == Lba{1400});
  fixture.flip(250 * 512);
  const auto in_data = fixture.run().difference;
  REQUIRE(in_data);
  CHECK(in_data->offset == 250 * 512);
  CHECK(in_data->size == 1);
  CHECK(in_data->expected == read_bytes(fixture.disk, {250 * 512, 1}).front());
  CHECK(in_data->found == (in_data->expected ^ std::byte{1}));
  CHECK(in_data->entry->first_lba == Lba{200});
  fixture.flip(150 * 512);  // between two partitions
  CHECK_FALSE(fixture.run().difference->entry);
}

TEST_CASE("Of data that has checksums, those are what is compared")
{
  Verified fixture;
  Checksums sums;
  for_each_piece(fixture.disk, [&](const Piece& piece) {
    for (ByteRange rest = piece.range; piece.is_data() && rest.size != 0;) {
      const ByteRange chunk = first_chunk(rest);
      sums.put(chunk.offset, checksum(read_bytes(fixture.disk, chunk)));
      rest = {chunk.end(), rest.size - chunk.size};
    }
  });
  CHECK(fixture.run({.checksums = &sums}).same());
  fixture.flip(kChunkBytes + 100);
  const auto difference = fixture.run({.checksums = &sums}).difference;
  REQUIRE(difference);
  CHECK(difference->offset == kChunkBytes);
  CHECK(difference->size > 100);
}

TEST_CASE("A table that differs is diagnosed, if there is one")
{
  Verified fixture;
  fixture.flip(fixture.table[2].range.offset + 40);  // an entry of the primary array
  const Verification changed = fixture.run();
  CHECK_FALSE(changed.is_table_same);
  CHECK_FALSE(changed.cut_off);
  CHECK(changed.comparison);
  CHECK_FALSE(changed.difference);
  for (const TablePlace& place : fixture.table)
    fixture.wipe(place);
  const Verification none = fixture.run();
  CHECK_FALSE(none.is_table_same);
  CHECK_FALSE(none.comparison);
  CHECK(none.data_compared);
}

TEST_CASE("How far a restore came that was cut off is told by its mark and by the order of the table")
{
  constexpr const char* kId = "0B2F5A1C-1111-4222-8333-444455556666";
  Verified fixture;
  const auto& [mbr, primary_header, primary_array, backup_array, backup_header] = fixture.table;
  // All but the MBR.
  fixture.wipe(mbr);
  CHECK(fixture.run().cut_off == CutOff::in_table);
  // Nor this, and the mark where the header comes.
  fixture.put(primary_header.range.offset, unfinished_mark(kId));
  const Verification in_table = fixture.run();
  CHECK(in_table.cut_off == CutOff::in_table);
  CHECK(in_table.cut_off_id == kId);
  CHECK(in_table.data_compared);
  CHECK_FALSE(in_table.comparison);
  fixture.wipe(backup_header);
  const Verification in_data = fixture.run();
  CHECK(in_data.cut_off == CutOff::in_data);
  CHECK_FALSE(in_data.data_compared);
  fixture.wipe(backup_array);
  CHECK(fixture.run().cut_off == CutOff::in_data);

  // Without the mark, what lacks more than the MBR is no restore that was cut off.
  for (const TablePlace& place : {primary_header, primary_array, backup_array, backup_header}) {
    fixture.put_back();
    fixture.wipe(mbr);
    fixture.wipe(place);
    CHECK_FALSE(fixture.run().cut_off);
  }
  fixture.put_back();
  fixture.flip(mbr.range.offset + 100);
  CHECK_FALSE(fixture.run().cut_off);
}

TEST_CASE("A comparison that is stopped, before it begins or in its middle, says that it is not whole")
{
  Verified fixture(10);
  fixture.monitor.stop = true;
  const Verification before = fixture.run();
  CHECK(before.stopped);
  CHECK_FALSE(before.same());
  CHECK(before.compared_bytes == 0);

  fixture.monitor.stop = false;
  fixture.image->before_read = [&](ByteRange) {
    if (fixture.monitor.phase == Monitor::Phase::verifying)
      fixture.monitor.stop = true;
  };
  const Verification within = fixture.run();
  CHECK(within.stopped);
  CHECK(within.compared_bytes < fixture.monitor.total_bytes);

  // Stopped or not, what was found to differ counts: the first data is handed out before any of it is read.
  std::optional<std::uint64_t> first;
  for_each_piece(fixture.disk, [&](const Piece& piece) {
    if (!first && piece.is_data() && !is_table(piece.role))
      first = piece.range.offset;
  });
  REQUIRE(first);
  fixture.monitor.stop = false;
  fixture.monitor.phase = Monitor::Phase::preparing;
  fixture.flip(*first);
  const Verification differs = fixture.run();
  CHECK(differs.difference);
  CHECK_FALSE(differs.stopped);
}
