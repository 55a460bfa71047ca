// SPDX-License-Identifier: BSD-3-Clause
// A repair that is cut off after any sector, in any order of the sectors of one write, leaves a valid GPT that names the
// same partitions; doing it again completes it, undoing it brings back every byte.
#include "core/error.h"
#include "core/repair/repair.h"
#include "core/repair/undo.h"
#include "tests/unit/catch2.h"
#include "tests/unit/memory_source.h"
#include "tests/unit/power_cut.h"
#include "tests/unit/test_disk.h"

using namespace gptgrow;

namespace {

enum class Way { from_image, relocate, extend };

struct Scenario {
  std::string name;
  TestDisk image;
  TestDisk found;
  std::vector<std::uint64_t> damaged;  // bytes of the disk
  std::vector<std::uint64_t> backups;  // LBAs of backups that are left behind
  Way way = Way::from_image;
};

std::vector<TestEntry> with_gap()
{
  return {{1, 64, 79, 1}, {2, 200, 259, 2}, {5, 80, 95, 5}, {6, 96, 199, 6}};
}

std::vector<TestEntry> dense()
{
  return {{1, 64, 79, 1}, {2, 200, 259, 2}, {3, 80, 95, 5}, {4, 96, 199, 6}};
}

std::vector<Scenario> scenarios()
{
  TestDisk image{.entries = with_gap()};
  TestDisk disk{.sectors = 700, .disk_end = 700, .boot_indicator = 0, .entries = dense()};
  TestDisk far = image;
  far.primary_array_lba = 12;
  TestDisk copied = image;
  copied.sectors = 700;
  TestDisk near = copied;
  near.sectors = 530;
  TestDisk tail = image;
  tail.header_size = 512;
  tail.header_tail = 0x5a;

  std::vector<Scenario> all{
      {"gap closed", image, disk, {}, {}},
      {"primary header damaged", image, disk, {512 + 40}, {}},
      {"primary array damaged", image, disk, {1024 + 33}, {}},
      {"backup header damaged", image, disk, {699 * 512 + 40}, {}},
      {"backup array damaged", image, disk, {667 * 512 + 33}, {}},
      {"backup left behind", image, copied, {}, {511}},
      {"backup left behind, primary damaged", image, copied, {512 + 56}, {511}},
      {"backup left behind a little, arrays overlap", image, near, {}, {511}},
      {"array moved", far, disk, {}, {}},
      {"header tail lost", tail, disk, {}, {}},
      {"relocated", copied, copied, {}, {511}, Way::relocate},
      {"extended", image, image, {}, {}, Way::extend},
      {"extended, backup left behind", copied, copied, {}, {511}, Way::extend},
      {"extended, backup left behind a little, arrays overlap", near, near, {}, {511}, Way::extend},
      {"extended, array elsewhere", far, far, {}, {}, Way::extend},
  };
  for (const Scenario& scenario : std::vector(all)) {
    if (!scenario.damaged.empty())
      continue;
    Scenario large = scenario;
    large.name += ", sectors of 4096 bytes";
    large.image.sector_size = large.found.sector_size = 4096;
    // No larger than they must be: each is copied thousands of times.
    const auto shrunk = [](std::uint64_t sectors) { return sectors <= 530 ? sectors - 232 : sectors - 360; };
    for (TestDisk* each : {&large.image, &large.found})
      each->sectors = shrunk(each->sectors), each->disk_end = shrunk(each->disk_end);
    for (std::uint64_t& lba : large.backups)
      lba = shrunk(lba);
    if (large.image.header_size > 92)
      large.image.header_size = 4096;
    all.push_back(large);
  }
  return all;
}

class Repair {
public:
  explicit Repair(const Scenario& scenario)
      : scenario_(scenario), original_(damaged(scenario)), image_(scenario.image.bytes())
  {
    wanted_ = {partitions(scenario.image.array(), scenario.image.entry_size)};
    if (scenario.way == Way::extend) {
      TestDisk extended = scenario.image;
      extended.entries[1].last_lba = plan(original_).extension->after.value;
      wanted_.push_back(partitions(extended.array(), extended.entry_size));
    }
  }

  RepairPlan plan(const Bytes& state)
  {
    const MemorySource disk(state);
    if (scenario_.way == Way::extend)
      return plan_in_place(disk, {.extend = SlotToExtend{}});
    if (scenario_.way != Way::from_image)
      return plan_in_place(disk, {});
    return plan_repair_from_image(MemorySource(state), image_, {}, {});
  }

  std::vector<gptgrow::Write> undo(const Bytes& state, const RepairPlan& plan)
  {
    return plan_undo(MemorySource(state), {plan.disk_size_bytes, plan.sector_size_bytes, plan.writes});
  }

  bool has_valid_table(const Bytes& state)
  {
    const MemorySource disk(state);
    std::vector<std::uint64_t> places{1, scenario_.found.sectors - 1};
    places.insert(places.end(), scenario_.backups.begin(), scenario_.backups.end());
    for (const std::uint64_t lba : places) {
      const FoundTable table = read_table(disk, scenario_.found.sector_size, Lba{lba});
      if (table.valid() &&
          std::ranges::find(wanted_, partitions(table.array, table.header.entry_size_bytes())) != wanted_.end())
        return true;
    }
    return false;
  }

  const Bytes& original() const { return original_; }

private:
  static Bytes damaged(const Scenario& scenario)
  {
    Bytes bytes = scenario.found.bytes();
    for (const std::uint64_t at : scenario.damaged)
      bytes[at] ^= std::byte{0x40};
    return bytes;
  }

  const Scenario& scenario_;
  Bytes original_;
  MemorySource image_;
  std::vector<Partitions> wanted_;  // one of them
};

}  // namespace

TEST_CASE("Wherever a repair is cut off, a valid table remains, and it can be completed or undone")
{
  for (const Scenario& scenario : scenarios()) {
    CAPTURE(scenario.name);
    Repair repair(scenario);
    const RepairPlan plan = repair.plan(repair.original());
    REQUIRE_FALSE(plan.writes.empty());
    const Bytes repaired = complete(repair.original(), plan.writes);
    REQUIRE(repair.plan(repaired).writes.empty());
    REQUIRE(same(complete(repaired, repair.undo(repaired, plan)), repair.original()));

    for (const Order order : {Order::ascending, Order::descending, Order::odd_first}) {
      // One order is enough for the larger half of the scenarios.
      if ((scenario.found.sector_size > kAtomicBytes || !kEveryOrder) && order != Order::odd_first)
        continue;
      for (std::size_t sectors = 0; sectors < total_sectors(plan.writes); sectors += kStep) {
        CAPTURE(static_cast<int>(order), sectors);
        const Bytes state = cut_after(repair.original(), plan.writes, sectors, order);
        REQUIRE(repair.has_valid_table(state));
        const auto undo = repair.undo(state, plan);
        REQUIRE(same(complete(state, undo), repair.original()));
        REQUIRE(same(complete(state, repair.plan(state).writes), repaired));
      }
    }
  }
}

TEST_CASE("Wherever an undo is cut off, a valid table remains, and it can be undone again")
{
  for (const Scenario& scenario : scenarios()) {
    CAPTURE(scenario.name);
    Repair repair(scenario);
    const RepairPlan plan = repair.plan(repair.original());
    const Bytes repaired = complete(repair.original(), plan.writes);
    const auto undo = repair.undo(repaired, plan);
    for (std::size_t sectors = 0; sectors < total_sectors(undo); sectors += kStep) {
      CAPTURE(sectors);
      const Bytes state = cut_after(repaired, undo, sectors, Order::odd_first);
      REQUIRE(repair.has_valid_table(state));
      REQUIRE(same(complete(state, repair.undo(state, plan)), repair.original()));
    }
  }
}

namespace {

RepairPlan from_image(const TestDisk& found, const TestDisk& image, const std::vector<std::uint32_t>& replaced = {},
                      GrownSlots grown = GrownSlots::refuse)
{
  return plan_repair_from_image(MemorySource(found.bytes()), MemorySource(image.bytes()), {}, replaced, grown);
}

}  // namespace

TEST_CASE("A repair from an image for sectors of another size is refused, and so is a slot that there is not")
{
  const TestDisk image{.entries = with_gap()};
  TestDisk large = image;
  large.sector_size = 4096;
  CHECK_THROWS_WITH(from_image(large, image), ContainsSubstring("table for 4096-byte sectors, expected 512"));
  CHECK_THROWS_WITH(from_image(image, image, {0}), ContainsSubstring("slot 0: expected 1 to 128"));
  CHECK_THROWS_WITH(from_image(image, image, {129}), ContainsSubstring("slot 129: expected 1 to 128"));
  TestDisk more = image;
  more.entry_count = 136;
  more.first_usable_lba = 64;
  CHECK_NOTHROW(from_image(more, image, {129}));
  CHECK(from_image(image, image, {}, GrownSlots::keep).writes.empty());
}
