// SPDX-License-Identifier: BSD-3-Clause
#include "core/error.h"
#include "core/repair/writes.h"
#include "tests/unit/memory_source.h"
#include "tests/unit/power_cut.h"

using namespace gptgrow;

TEST_CASE("A disk that does not hold what was written is reported")
{
  class Lying : public FailingTarget {
  public:
    explicit Lying(Bytes& disk) : FailingTarget(disk, SIZE_MAX, Order::ascending) {}
    void read(std::uint64_t offset, std::span<std::byte> buffer) const override
    {
      FailingTarget::read(offset, buffer);
      buffer[0] ^= std::byte{1};
    }
  };
  Bytes state(4096);
  Lying target(state);
  CHECK_THROWS_WITH(
      write_and_check({{"primary array", 1024, Bytes(512), Bytes(512, std::byte{0x20})}}, target),
      ContainsSubstring(
          "the primary array does not hold what was written: byte 1024 is 0x21, expected 0x20; the disk is failing"));
}

TEST_CASE("A write is what a disk does not hold already, after those before it")
{
  Bytes bytes(4096, std::byte{1});
  const MemorySource disk(bytes);
  Writes writes(disk);
  const Bytes ones(512, std::byte{1}), twos(512, std::byte{2}), threes(512, std::byte{3});
  const auto changes = [&](const Bytes& wanted) { return writes.changes({Role::mbr, 1024, wanted}); };
  CHECK_FALSE(changes(ones));
  CHECK(changes(twos));
  writes.add("nothing", 1024, ones);
  writes.add({Role::backup_header, 1024, twos});
  CHECK_FALSE(changes(twos));
  CHECK(changes(ones));
  writes.add("nothing", 1024, twos);
  writes.add("again", 1024, threes);
  CHECK(read_bytes(writes.disk(), {1024, 512}) == threes);
  const std::vector<gptgrow::Write> all = writes.take();
  REQUIRE(all.size() == 2);
  CHECK(all[0].what == "backup header");
  CHECK((all[0].before == ones && all[0].after == twos));
  CHECK(all[1].what == "again");
  CHECK((all[1].before == twos && all[1].after == threes && all[1].range() == ByteRange{1024, 512}));
}

TEST_CASE("An old backup may become zeros where it is what it was, or zeros already, and no partition is there")
{
  Bytes image(64 * 512, std::byte{0x33});
  Gpt gpt;
  gpt.sector_size_bytes = 512;
  const auto removable = [&](const Bytes& disk, const std::vector<Entry>& entries = {}) {
    return is_removable(MemorySource(disk), gpt, MemorySource(image), entries);
  };
  Bytes disk = image;
  disk[0] = std::byte{1};
  CHECK(removable(disk));
  gpt.old_backup = {{Role::old_backup_array, 10 * 512, Bytes(1024)}, {Role::old_backup_header, 12 * 512, Bytes(512)}};
  CHECK(removable(disk));
  for (const std::uint64_t lba : {10U, 11U, 12U}) {
    Bytes partly = disk;
    std::fill_n(partly.begin() + static_cast<std::ptrdiff_t>(lba * 512), 512, std::byte{0});
    CHECK(removable(partly));
    partly[lba * 512 + 511] = std::byte{1};
    CHECK_FALSE(removable(partly));
  }
  Entry entry;
  for (const auto& [first, last, is_there] : {std::tuple{9U, 9U, false}, std::tuple{13U, 20U, false},
                                              std::tuple{9U, 10U, true}, std::tuple{12U, 12U, true}}) {
    entry.first_lba = Lba{first}, entry.last_lba = Lba{last};
    CHECK(removable(disk, {entry}) != is_there);
  }
}
