// SPDX-License-Identifier: BSD-3-Clause
#include "core/error.h"
#include "core/restore/resuming.h"

#include "core/restore/image_state.h"
#include "core/restore/unfinished_mark.h"
#include "tests/unit/catch2.h"
#include "tests/unit/served_disk.h"

using namespace gptgrow;

namespace {

constexpr std::uint64_t kDiskSize = 1000 * 512;

struct Interrupted {
  Disk disk = served(two_partitions().bytes(), kDiskSize);
  Gpt gpt = gpt_of(disk);
  RestoreIdentity identity = identity_of(disk, content_state(disk), gpt, FreeSpace::discard);
  ProgressMap map{identity};
  std::vector<std::byte> target = std::vector<std::byte>(kDiskSize);

  void check(const RestoreIdentity& now) const
  {
    const MemorySource source(target);
    check_resumable(map, "map", now, gpt, &source, "target", "image");
  }

  void put(const Structure& structure)
  {
    std::ranges::copy(structure.bytes, target.begin() + static_cast<std::ptrdiff_t>(structure.offset));
  }

  void put_mark(const std::string& id)
  {
    std::ranges::copy(unfinished_mark(id), target.begin() + static_cast<std::ptrdiff_t>(gpt.primary_header.offset));
  }
};

}  // namespace

TEST_CASE("A restore goes on where its own mark stands")
{
  Interrupted fixture;
  CHECK_THROWS_WITH(fixture.check(fixture.identity), ContainsSubstring("does not hold what that one left there"));
  fixture.put_mark(fixture.identity.id);
  CHECK_NOTHROW(fixture.check(fixture.identity));
  fixture.put_mark("another");
  CHECK_THROWS_AS(fixture.check(fixture.identity), Error);
  fixture.put_mark(fixture.identity.id);
  fixture.target[0] = std::byte{1};
  CHECK_THROWS_AS(fixture.check(fixture.identity), Error);
}

TEST_CASE("It goes on while the table is written, once all else is there")
{
  Interrupted fixture;
  fixture.put(fixture.gpt.primary_header);
  CHECK_THROWS_AS(fixture.check(fixture.identity), Error);
  fixture.map.add({0, kDiskSize});
  CHECK_NOTHROW(fixture.check(fixture.identity));
  fixture.put(fixture.gpt.mbr);
  CHECK_NOTHROW(fixture.check(fixture.identity));
  fixture.target[100] ^= std::byte{1};
  CHECK_THROWS_AS(fixture.check(fixture.identity), Error);
}

TEST_CASE("The map of another restore is refused, by what differs")
{
  Interrupted fixture;
  fixture.put_mark(fixture.identity.id);
  const auto refused = [&](auto change, const char* why) {
    RestoreIdentity other = fixture.identity;
    change(other);
    CHECK_THROWS_WITH(fixture.check(other), ContainsSubstring(why));
  };
  refused([](RestoreIdentity& other) { other.size_bytes += 512; }, "to a disk of 512000 bytes");
  refused([](RestoreIdentity& other) { other.free_space = "zero"; }, "with free space discard");
  refused([](RestoreIdentity& other) { other.image += "?"; }, "was another image");
  refused([](RestoreIdentity& other) { other.table_crc32 ^= 1; }, "was another image");
  CHECK_THROWS_WITH(check_resumable(fixture.map, "map", fixture.identity, fixture.gpt, nullptr, "target", "image"),
                    ContainsSubstring("does not exist"));
}

TEST_CASE("What is done counts data and what becomes zeros")
{
  Interrupted fixture;
  const std::uint64_t data = (479 - 34) * 512, old_backup = 33 * 512;
  CHECK(bytes_done(fixture.map, fixture.disk, FreeSpace::discard) == 0);
  fixture.map.add({34 * 512, 512});
  CHECK(bytes_done(fixture.map, fixture.disk, FreeSpace::discard) == 512);
  fixture.map.add({0, kDiskSize});
  CHECK(bytes_done(fixture.map, fixture.disk, FreeSpace::discard) == data + old_backup);
  CHECK(bytes_done(fixture.map, fixture.disk, FreeSpace::zero) ==
        data + old_backup + fixture.disk.layout().free_space.size);
}
