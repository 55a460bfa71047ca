// SPDX-License-Identifier: BSD-3-Clause
#include "core/restore/filling.h"

#include "core/restore/restore_plan.h"
#include "tests/unit/served_disk.h"
#include "tests/unit/temporary_folder.h"
#include "tests/unit/watched_source.h"

using namespace gptgrow;

namespace {

constexpr std::uint64_t kManyChunks = 12'000;  // sectors: not all of it is on its way at once
constexpr std::byte kOld{0xee};

/// Tells that what was data is a hole, once it is copied.
class Forgetful : public WatchedSource {
public:
  using WatchedSource::WatchedSource;

  const Monitor* copies = nullptr;
  ByteRange hole_by_then;

  Extent extent(ByteRange range) const override
  {
    const bool is_hole = copies && copies->phase == Monitor::Phase::copying && hole_by_then.offset <= range.offset &&
                         range.end() <= hole_by_then.end();
    return is_hole ? Extent{range.size, true} : WatchedSource::extent(range);
  }
};

/// An image of data that ends in a hole, and a larger target that is full of something else.
struct FillingFixture {
  explicit FillingFixture(FreeSpace free, std::uint64_t sectors = 2000) : free_space(free), image_sectors(sectors)
  {
    const std::vector<std::byte> old(1 << 20, kOld);
    for (std::uint64_t at = 0; at < target.size_bytes(); at += old.size())
      target.write(at, std::span(old).first(std::min<std::uint64_t>(old.size(), target.size_bytes() - at)));
    const RestorePlan plan = plan_restore(disk, {.exists = true, .headers = {}, .signatures = {}}, free_space);
    for (const ByteRange& range : plan.not_filled)
      map.add(range);
  }

  std::shared_ptr<Forgetful> make_image() const
  {
    TestDisk table;
    table.sectors = table.disk_end = image_sectors;
    table.entries = {{1, 48, image_sectors - 40, 1}};
    auto bytes = table.bytes();
    bytes.resize(data_bytes());
    auto made = std::make_shared<Forgetful>(std::move(bytes));
    made->resize(image_sectors * 512);
    return made;
  }

  std::uint64_t data_bytes() const { return image_sectors / 6 * 5 * 512; }
  bool run() { return Filling(disk, target, free_space, no_map, map, monitor).run(); }

  /// Whether `range` of the target is all as `expected` says it, or `kOld`.
  void check_target(bool is_free_space_zero)
  {
    for_each_piece(disk, [&](const Piece& piece) {
      CAPTURE(piece.range.offset, piece.range.size);
      const auto found = read_bytes(target, piece.range);
      if (piece.is_data())
        CHECK((found == read_bytes(disk, piece.range)));
      else if (piece.needs_zeros() || (piece.is_free_space() && is_free_space_zero))
        CHECK(is_zero(found));
      else
        CHECK((found == std::vector<std::byte>(piece.range.size, kOld)));
    });
  }

  FreeSpace free_space;
  std::uint64_t image_sectors;
  std::shared_ptr<Forgetful> image = make_image();
  Disk disk{image, {(image_sectors + 6000) * 512}, {}};
  TemporaryFolder folder;
  DeviceTarget target{folder / "target", disk.size_bytes()};
  std::string no_map;
  ProgressMap map{{"", "", disk.size_bytes(), 0, ""}};
  Monitor monitor;
};

}  // namespace

TEST_CASE("All but the table is filled, and free space becomes what was asked for")
{
  for (const FreeSpace free_space : {FreeSpace::discard, FreeSpace::zero, FreeSpace::keep}) {
    CAPTURE(to_string(free_space));
    FillingFixture fixture(free_space);
    CHECK(fixture.run());
    CHECK(fixture.map.first_missing(0) == fixture.disk.size_bytes());
    fixture.check_target(free_space != FreeSpace::keep);
    CHECK(fixture.monitor.done_bytes == fixture.monitor.total_bytes);
  }
}

TEST_CASE("What the map has is not done again")
{
  FillingFixture fixture(FreeSpace::discard);
  fixture.map.add({0, fixture.disk.size_bytes()});
  fixture.image->before_read = [](ByteRange) { throw std::logic_error("read"); };
  CHECK(fixture.run());
  CHECK(read_bytes(fixture.target, {100'000, 512}) == std::vector<std::byte>(512, kOld));
}

TEST_CASE("Filling that is stopped, before it begins or in the middle of the data, goes on later")
{
  FillingFixture fixture(FreeSpace::zero, kManyChunks);
  fixture.monitor.stop = true;
  CHECK_FALSE(fixture.run());
  const ByteRange free_space = fixture.disk.layout().free_space;
  CHECK(read_bytes(fixture.target, {free_space.offset + (1 << 20), 512}) == std::vector<std::byte>(512, kOld));

  FillingFixture in_free_space(FreeSpace::discard, kManyChunks);
  in_free_space.map.add({0, free_space.offset});
  in_free_space.monitor.stop = true;
  CHECK_FALSE(in_free_space.run());
  CHECK(in_free_space.map.first_missing(0) == free_space.offset);
  CHECK(read_bytes(in_free_space.target, {free_space.offset + (1 << 20), 512}) == std::vector<std::byte>(512, kOld));

  fixture.monitor.stop = false;
  fixture.image->before_read = [&](ByteRange) { fixture.monitor.stop = true; };
  CHECK_FALSE(fixture.run());
  CHECK(fixture.map.first_missing(0) < fixture.disk.size_bytes());

  fixture.monitor.stop = false;
  std::atomic<std::uint64_t> read = 0;
  fixture.image->before_read = [&](ByteRange range) { read += range.size; };
  CHECK(fixture.run());
  CHECK(read < fixture.data_bytes());
  fixture.image->before_read = [](ByteRange) {};
  fixture.check_target(true);
}

TEST_CASE("An error of the image comes out, and what was written by then is known")
{
  FillingFixture fixture(FreeSpace::keep);
  constexpr std::uint64_t kBad = 300'000;
  fixture.image->before_read = [](ByteRange range) {
    if (range.offset <= kBad && kBad < range.end())
      throw std::runtime_error("bad sector");
  };
  CHECK_THROWS_WITH(fixture.run(), ContainsSubstring("bad sector"));
  CHECK(fixture.map.first_missing(kBad) == kBad);
}

TEST_CASE("Data of which the file system tells later that it is a hole becomes zeros")
{
  FillingFixture fixture(FreeSpace::keep);
  fixture.image->copies = &fixture.monitor;
  fixture.image->hole_by_then = {256 << 10, 128 << 10};
  // In its middle, that all of it is passed over.
  fixture.map.add({(256 << 10) - 512, 512});
  fixture.map.add({384 << 10, 512});
  CHECK(fixture.run());
  CHECK(is_zero(read_bytes(fixture.target, {256 << 10, 128 << 10})));
}
