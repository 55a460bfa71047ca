// SPDX-License-Identifier: BSD-3-Clause
// A repair that is cut off after any sector, in any order of the sectors of one write, leaves a valid GPT that names the
// same partitions; doing it again completes it, undoing it brings back every byte.
#include "core/error.h"
#include "core/repair/repair.h"
#include "core/repair/undo.h"
#include "core/source/file_source.h"
#include "tests/unit/catch2.h"
#include "tests/unit/memory_source.h"
#include "tests/unit/power_cut.h"
#include "tests/unit/temporary_file.h"
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

// A sanitizer, and counting branches, make every state slow, and see all code in some of them.
#if defined(__SANITIZE_ADDRESS__) || defined(GPTGROW_COUNTED)
constexpr std::size_t kStep = 7;
#else
constexpr std::size_t kStep = 1;
#endif

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
      if (scenario.found.sector_size > kAtomicBytes && order != Order::odd_first)
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

TEST_CASE("A byte that neither repair nor what was before explains stops an undo")
{
  const Scenario scenario = scenarios().front();
  Repair repair(scenario);
  const RepairPlan plan = repair.plan(repair.original());
  Bytes state = complete(repair.original(), plan.writes);
  state[1024 + 5 * 128] ^= std::byte{1};
  CHECK_THROWS_WITH(repair.undo(state, plan), ContainsSubstring("neither what repair wrote"));
}

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
  const Scenario scenario = scenarios().front();
  Repair repair(scenario);
  const RepairPlan plan = repair.plan(repair.original());
  Bytes state = repair.original();
  Lying target(state);
  CHECK_THROWS_WITH(write_and_check(plan.writes, target), ContainsSubstring("does not hold what was written"));
}

TEST_CASE("An undo file keeps every byte, and damage to it is noticed")
{
  const TemporaryFile place;
  const std::string path = place.path() + ".undo";
  const Undo undo{1 << 20, 512, {{"primary header", 512, Bytes(512, std::byte{1}), Bytes(512, std::byte{0xfe})}}};
  save_undo(path, undo);
  const Undo loaded = load_undo(path);
  CHECK(loaded.disk_size_bytes == undo.disk_size_bytes);
  CHECK(loaded.sector_size_bytes == undo.sector_size_bytes);
  REQUIRE(loaded.writes.size() == 1);
  CHECK(loaded.writes[0].what == "primary header");
  CHECK(loaded.writes[0].offset == 512);
  CHECK(loaded.writes[0].before == undo.writes[0].before);
  CHECK(loaded.writes[0].after == undo.writes[0].after);
  CHECK_THROWS_WITH(save_undo(path, undo), ContainsSubstring("exists"));

  const std::uint64_t size = std::filesystem::file_size(path);
  std::string text(size, '\0');
  FileSource(path).read(0, std::as_writable_bytes(std::span(text)));
  std::filesystem::remove(path);
  for (std::size_t i = 0; i < size; i += 7) {
    std::string damaged = text;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    place.resize(size);
    place.write(0, damaged);
    CAPTURE(i);
    CHECK_THROWS_AS(load_undo(place.path()), Error);
    place.resize(i);
    CHECK_THROWS_AS(load_undo(place.path()), Error);
  }
}

TEST_CASE("An undo file whose CRC is right is read strictly all the same")
{
  const auto parsed = [](std::string text) {
    text = "gptgrow undo 1\n" + text;
    text += fmt::format("crc32 0x{:08x}\n", crc32(std::as_bytes(std::span(text))));
    return parse_undo("undo", text);
  };
  const std::string sizes = "disk_size_bytes 1024\nsector_size_bytes 512\n";
  const auto refused = [&](const std::string& text, const std::string& why) {
    CAPTURE(text);
    CHECK_THROWS_WITH(parsed(text), ContainsSubstring(why));
  };
  CHECK(parsed(sizes).writes.empty());
  CHECK(parsed(sizes + "write 1022 MBR\nbefore 0aFf\nafter 0000\n").writes.at(0).before ==
        Bytes{std::byte{0x0a}, std::byte{0xff}});
  CHECK(parsed(sizes + "write 0\nbefore 00\nafter 01\n").writes.at(0).what.empty());
  refused("", "expected \"disk_size_bytes ...\"");
  refused("disk_size_bytes", "expected \"disk_size_bytes ...\"");
  refused("disk_size_bytes\n", "expected \"disk_size_bytes ...\"");
  refused("disk_size_bytesX 1\n", "expected \"disk_size_bytes ...\"");
  refused("sector_size_bytes 512\n", "expected \"disk_size_bytes ...\"");
  for (const char* number : {"", "x", "-1", "12x", "0x10", "9223372036854775808", "99999999999999999999"})
    refused(fmt::format("disk_size_bytes {}\n", number), "expected a number");
  refused(sizes + "writes 0 MBR\n", "expected \"write ...\"");
  refused(sizes + "write 0 MBR\nafter 00\n", "expected \"before ...\"");
  refused(sizes + "write 0 MBR\nbefore 00\n", "expected \"after ...\"");
  refused(sizes + "write 0 MBR2\nbefore 00\nafter 01\n", "expected a name of letters");
  refused(sizes + "write 0 [MBR\nbefore 00\nafter 01\n", "expected a name of letters");
  refused(sizes + "write 0 \x1b\nbefore 00\nafter 01\n", "expected a name of letters");
  refused(sizes + "write 0 MBR\nbefore 0g\nafter 01\n", "expected hex digits");
  refused(sizes + "write 0 MBR\nbefore -1\nafter 01\n", "expected hex digits");
  refused(sizes + "write 0 MBR\nbefore \nafter \n", "0 bytes before, 0 after");
  refused(sizes + "write 0 MBR\nbefore 0000\nafter 00\n", "2 bytes before, 1 after");
  refused(sizes + "write 0 MBR\nbefore 012\nafter 013\n", "3 hex digits");
  refused(sizes + "write 0 MBR\nbefore 00\nafter 0000\n", "1 bytes before, 2 after");
  refused(sizes + "write 18446744073709551615 MBR\nbefore 00\nafter 01\n", "expected a number");
  refused(sizes + "write 4 MBR\nbefore 00\nafter 01\nwrite 3 MBR\nbefore 0000\nafter 0101\n",
          "two writes at bytes 3 and 4");
  refused("disk_size_bytes 4096\nsector_size_bytes 4294967808\n", "expected 512 or 4096");
  refused("disk_size_bytes 4096\nsector_size_bytes 0\n", "expected 512 or 4096");
  refused(sizes + "write 1023 MBR\nbefore 0000\nafter 0001\n", "on a disk of 1024");
  refused(sizes + "write 0 MBR{\nbefore 00\nafter 01\n", "expected a name of letters");
  refused(sizes + "write 0 MBR\nbefore 00\nafter 01\nwrite 0 MBR\nbefore 00\nafter 02\n",
          "expected the second one after the first");
  CHECK(parsed(sizes + "write 0 MBR\nbefore 00\nafter 01\nwrite 0 MBR\nbefore 01\nafter 02\n").writes.size() == 2);
  std::string many = sizes;
  for (int i = 0; i < 64; ++i)
    many += fmt::format("write {} MBR\nbefore 00\nafter 01\n", i);
  CHECK(parsed(many).writes.size() == 64);
  refused(many + "write 64 MBR\nbefore 00\nafter 01\n", "more than 64 writes");
}

namespace {

RepairPlan from_image(const TestDisk& found, const TestDisk& image, const std::vector<std::uint32_t>& replaced = {},
                      GrownSlots grown = GrownSlots::refuse)
{
  return plan_repair_from_image(MemorySource(found.bytes()), MemorySource(image.bytes()), {}, replaced, grown);
}

}  // namespace

TEST_CASE("A repair that would write over a partition, or over the only table, is refused")
{
  TestDisk image{.entries = {{1, 20, 40, 1}}};
  TestDisk disk = image;
  disk.sectors = disk.disk_end = 700;
  disk.boot_indicator = 0;
  CHECK_THROWS_WITH(
      from_image(disk, image),
      ContainsSubstring("the primary array would be at byte 1024, which is in the partition of slot 1 (LBA "
                        "20-40): nothing is written"));
  // One entry in one sector, where the array of the image would end.
  TestDisk at_the_end{.sectors = 700,
                      .disk_end = 700,
                      .entry_count = 4,
                      .primary_array_lba = 680,
                      .first_usable_lba = 690,
                      .entries = {}};
  CHECK_THROWS_WITH(
      from_image(at_the_end, TestDisk()),
      ContainsSubstring("the new backup array would lie on the only valid table, whose header is at LBA 1"));
}

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

TEST_CASE("A table for sectors of another size is no second backup of a disk whose primary is gone")
{
  TestDisk disk = {.sectors = 1000, .disk_end = 1000, .first_usable_lba = 64, .entries = {{1, 64, 200, 1}}};
  Bytes bytes = disk.bytes();
  TestDisk other = {.sector_size = 4096, .sectors = 60, .disk_end = 60, .first_usable_lba = 7, .entries = {}};
  const Bytes left = other.bytes();
  std::copy(left.begin() + 4096, left.begin() + 6 * 4096, bytes.begin() + 4096);
  std::fill_n(bytes.begin() + 512, 512, std::byte{0});
  bytes.resize(1200 * 512);
  std::copy_n(bytes.begin() + 967 * 512, 33 * 512, bytes.end() - 33 * 512);
  const auto header = std::span(bytes).last(512);
  put_field<std::uint64_t>(header, 24, 1199);
  put_field<std::uint64_t>(header, 72, 1199 - 32);
  put_field<std::uint32_t>(header, 16, 0);
  put_field<std::uint32_t>(header, 16, crc32(header.first(92)));
  const auto plan = [&] { return plan_in_place(MemorySource(bytes), {.sector_size_bytes = 512}); };
  CHECK_NOTHROW(plan());
  // The backup that the protective record leads to lists the same; one that does not is another one.
  bytes[999 * 512 + 56] ^= std::byte{1};
  const auto first = std::span(bytes).subspan(999 * 512, 512);
  put_field<std::uint32_t>(first, 16, 0);
  put_field<std::uint32_t>(first, 16, crc32(first.first(92)));
  CHECK_THROWS_WITH(plan(), ContainsSubstring("two valid backup tables differ"));
}

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
