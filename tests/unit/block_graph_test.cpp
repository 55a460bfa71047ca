// SPDX-License-Identifier: BSD-3-Clause
#include "core/target/block_graph.h"
#include "tests/unit/catch2.h"

#include <fmt/format.h>

#include <fstream>
#include <set>

#include <stdlib.h>
#include <sys/sysmacros.h>

using namespace gptgrow;
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kMiB = 1 << 20;

/// A sysfs of files, that goes away with this object. A device's minor number is its place in the order of making.
class FakeSysfs {
public:
  FakeSysfs()
  {
    std::string folder = (fs::temp_directory_path() / "gptgrow-XXXXXX").string();
    root_ = ::mkdtemp(folder.data());
    fs::create_directories(root_ / "sys/class/block");
  }
  FakeSysfs(const FakeSysfs&) = delete;
  ~FakeSysfs() { fs::remove_all(root_); }

  void disk(const std::string& name, std::uint64_t size_bytes, const std::vector<std::string>& slaves = {})
  {
    make(name, "sys/devices/" + name, size_bytes);
    for (const std::string& slave : slaves)
      fs::create_directory_symlink(root_ / "sys/class/block" / slave, root_ / "sys/devices" / name / "slaves" / slave);
  }

  void partition(const std::string& disk, const std::string& name, std::uint64_t start_bytes, std::uint64_t size_bytes)
  {
    make(name, "sys/devices/" + disk + '/' + name, size_bytes);
    write(name, "partition", "1");
    write(name, "start", fmt::format("{}", start_bytes / 512));
  }

  void loop(const std::string& name, const std::string& backing, std::uint64_t offset_bytes, std::uint64_t size_bytes)
  {
    disk(name, size_bytes);
    write(name, "loop/backing_file", backing);
    write(name, "loop/offset", fmt::format("{}", offset_bytes));
  }

  void write(const std::string& name, const std::string& file, const std::string& text)
  {
    const fs::path path = root_ / "sys/class/block" / name / file;
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text << '\n';
  }

  BlockGraph graph() const { return BlockGraph(read_block_devices(root_)); }

private:
  void make(const std::string& name, const std::string& folder, std::uint64_t size_bytes)
  {
    fs::create_directories(root_ / folder / "slaves");
    fs::create_directory_symlink(root_ / folder, root_ / "sys/class/block" / name);
    write(name, "dev", fmt::format("240:{}", count_++));
    write(name, "size", fmt::format("{}", size_bytes / 512));
  }

  fs::path root_;
  int count_ = 0;
};

Medium device(const BlockGraph& graph, const std::string& name)
{
  for (const BlockDevice& each : graph.devices())
    if (each.name == name)
      return {true, each.number, 0};
  throw std::runtime_error(name);
}

std::set<std::string> names(const BlockGraph& graph, const std::vector<MediumPart>& parts)
{
  std::set<std::string> result;
  for (const MediumPart& part : parts) {
    const BlockDevice* found = part.medium.is_device ? graph.find(part.medium.device) : nullptr;
    result.insert(found ? found->name : part.medium.path);
  }
  return result;
}

using Names = std::set<std::string>;

Names below(const BlockGraph& graph, const std::string& name)
{
  return names(graph, graph.made_of(graph.whole(device(graph, name))));
}

Names above(const BlockGraph& graph, const std::string& name, const DisksBelow& disks_below = {})
{
  return names(graph, graph.above(graph.made_of(graph.whole(device(graph, name))), disks_below));
}

/// sda with sda1 and sda2, sdb with sdb1.
void add_disks(FakeSysfs& sysfs)
{
  sysfs.disk("sda", 100 * kMiB);
  sysfs.partition("sda", "sda1", kMiB, 40 * kMiB);
  sysfs.partition("sda", "sda2", 41 * kMiB, 40 * kMiB);
  sysfs.disk("sdb", 100 * kMiB);
  sysfs.partition("sdb", "sdb1", kMiB, 40 * kMiB);
}

}  // namespace

TEST_CASE("Partitions lie on their disk, and not on each other")
{
  FakeSysfs sysfs;
  add_disks(sysfs);
  const BlockGraph graph = sysfs.graph();
  CHECK(above(graph, "sda") == Names{"sda1", "sda2"});
  CHECK(above(graph, "sda1") == Names{});
  CHECK(below(graph, "sda2") == Names{"sda2", "sda"});
  const MediumPart second = graph.made_of(graph.whole(device(graph, "sda2"))).back();
  CHECK(second.range == ByteRange{41 * kMiB, 40 * kMiB});
}

TEST_CASE("A loop device lies on the bytes that its offset and size say")
{
  FakeSysfs sysfs;
  add_disks(sysfs);
  sysfs.loop("loop0", "/dev/sda", 50 * kMiB, 10 * kMiB);
  sysfs.loop("loop1", "/dev/sda1", 0, 40 * kMiB);
  sysfs.loop("loop2", "/dev/loop1", 0, 40 * kMiB);
  sysfs.partition("loop2", "loop2p1", kMiB, kMiB);
  sysfs.loop("loop3", "/nowhere/file", 0, kMiB);
  const BlockGraph graph = sysfs.graph();
  CHECK(above(graph, "sda1") == Names{"loop1", "loop2", "loop2p1"});
  CHECK(above(graph, "sda2") == Names{"loop0"});
  CHECK(above(graph, "sda") == Names{"sda1", "sda2", "loop0", "loop1", "loop2", "loop2p1"});
  CHECK(below(graph, "loop2p1") == Names{"loop2p1", "loop2", "loop1", "sda1", "sda"});
  CHECK(above(graph, "loop0") == Names{"sda2"});
  CHECK(below(graph, "loop3") == Names{"loop3", "/nowhere/file"});
}

TEST_CASE("RAID, LVM, encryption and cache are followed, one above the other")
{
  FakeSysfs sysfs;
  add_disks(sysfs);
  sysfs.disk("md0", 80 * kMiB, {"sda1", "sdb1"});
  sysfs.disk("dm-0", 80 * kMiB, {"md0"});   // encrypted
  sysfs.disk("dm-1", 30 * kMiB, {"dm-0"});  // two volumes
  sysfs.disk("dm-2", 30 * kMiB, {"dm-0"});
  sysfs.write("dm-1", "dm/name", "group-one");
  sysfs.loop("loop0", "/dev/dm-1", 0, 30 * kMiB);
  sysfs.disk("bcache0", 40 * kMiB, {"sda2"});
  sysfs.write("sda2", "bcache/state", "clean");
  const BlockGraph graph = sysfs.graph();
  const Names on_raid{"md0", "dm-0", "dm-1", "dm-2", "loop0"};
  CHECK(above(graph, "sda1") == on_raid);
  CHECK(above(graph, "sdb1") == on_raid);
  CHECK(above(graph, "sda2") == Names{"bcache0"});
  CHECK(graph.find(device(graph, "sda2").device)->is_bcache_member);
  CHECK(graph.find(device(graph, "dm-1").device)->path() == "/dev/mapper/group-one");
  CHECK(above(graph, "sdb") == Names{"sdb1", "md0", "dm-0", "dm-1", "dm-2", "loop0"});
  CHECK(below(graph, "loop0") == Names{"loop0", "dm-1", "dm-0", "md0", "sda1", "sdb1", "sda", "sdb"});
}

TEST_CASE("Volumes of one group do not share bytes")
{
  FakeSysfs sysfs;
  add_disks(sysfs);
  sysfs.disk("dm-0", 20 * kMiB, {"sda1"});
  sysfs.disk("dm-1", 20 * kMiB, {"sda1"});
  sysfs.loop("loop0", "/dev/sda1", 0, 40 * kMiB);
  const BlockGraph graph = sysfs.graph();
  CHECK(above(graph, "dm-0") == Names{"loop0"});
  CHECK(above(graph, "sda1") == Names{"dm-0", "dm-1", "loop0"});
  const auto made_of = [&](const std::string& name) { return graph.made_of(graph.whole(device(graph, name))); };
  CHECK_FALSE(overlap(made_of("dm-0"), made_of("dm-1")));
  CHECK(overlap(made_of("dm-0"), made_of("dm-0")));
  CHECK(overlap(made_of("dm-0"), made_of("sda1")));
  CHECK(overlap(made_of("dm-0"), made_of("loop0")));
}

TEST_CASE("Who maps a disk twice may map the same bytes, unless it is known for seeing to it")
{
  FakeSysfs sysfs;
  sysfs.disk("sda", 100 * kMiB);
  sysfs.disk("sdb", 100 * kMiB);
  const std::string group(32, 'g'), other_group(32, 'h');
  auto mapped = [&, count = 0](const std::string& slave, const std::string& uuid) mutable {
    const std::string name = fmt::format("dm-{}", count++);
    sysfs.disk(name, 20 * kMiB, {slave});
    sysfs.write(name, "dm/name", "mapped-" + name);
    sysfs.write(name, "dm/uuid", uuid);
    return name;
  };
  const auto may = [&](const std::string& a, const std::string& b) {
    const BlockGraph graph = sysfs.graph();
    return may_share(*graph.find(device(graph, a).device), *graph.find(device(graph, b).device));
  };
  const std::string by_hand = mapped("sda", ""), again = mapped("sda", ""), elsewhere = mapped("sdb", "");
  CHECK(may(by_hand, again));
  CHECK_FALSE(may(by_hand, by_hand));
  CHECK_FALSE(may(by_hand, elsewhere));
  const std::string volume = mapped("sda", "LVM-" + group + "1"), second = mapped("sda", "LVM-" + group + "2"),
                    stranger = mapped("sda", "LVM-" + other_group + "1");
  CHECK_FALSE(may(volume, second));
  CHECK(may(volume, stranger));
  CHECK(may(volume, by_hand));
  const std::string part1 = mapped("sda", "part1-mpath-a"), part2 = mapped("sda", "part2-mpath-a"),
                    foreign = mapped("sda", "part1-mpath-b");
  CHECK_FALSE(may(part1, part2));
  CHECK(may(part1, foreign));
  // Not the uuid of a partition, and a disk that has slaves, but is not mapped.
  const std::string partial = mapped("sda", "part1");
  CHECK(may(partial, by_hand));
  sysfs.disk("md0", 20 * kMiB, {"sda"});
  CHECK_FALSE(may("md0", by_hand));
  CHECK_FALSE(may(by_hand, "md0"));
}

TEST_CASE("A loop device that does not say what it is over may be over what has its size")
{
  FakeSysfs sysfs;
  sysfs.loop("loop0", "/gone", 1 * kMiB, 10 * kMiB);
  sysfs.loop("loop1", "/gone", 1 * kMiB, 10 * kMiB);
  sysfs.write("loop1", "loop/sizelimit", "10485760");
  sysfs.disk("sda", 11 * kMiB);
  sysfs.loop("loop2", "/dev/sda", 0, 11 * kMiB);
  const BlockGraph graph = sysfs.graph();
  const auto loop = [&](const std::string& name) { return *graph.find(device(graph, name).device); };
  CHECK(may_be_over(loop("loop0"), 11 * kMiB));
  CHECK(may_be_over(loop("loop0"), 11 * kMiB + 511));
  CHECK_FALSE(may_be_over(loop("loop0"), 12 * kMiB));
  CHECK_FALSE(may_be_over(loop("loop0"), 10 * kMiB));
  CHECK(may_be_over(loop("loop1"), 12 * kMiB));
  CHECK_FALSE(may_be_over(loop("loop1"), 10 * kMiB));
  CHECK_FALSE(may_be_over(loop("loop0"), 0));
  CHECK_FALSE(may_be_over(loop("loop2"), 11 * kMiB));
  CHECK_FALSE(may_be_over(loop("sda"), 11 * kMiB));
}

TEST_CASE("A disk with two ways to it is held through both")
{
  FakeSysfs sysfs;
  sysfs.disk("sda", 100 * kMiB);
  sysfs.disk("sdb", 100 * kMiB);
  sysfs.disk("dm-0", 100 * kMiB, {"sda", "sdb"});
  sysfs.disk("dm-1", 40 * kMiB, {"dm-0"});  // its partition
  const BlockGraph graph = sysfs.graph();
  CHECK(above(graph, "sda") == Names{"dm-0", "dm-1"});
  CHECK(above(graph, "dm-0") == Names{"dm-1"});
  CHECK(below(graph, "dm-1") == Names{"dm-1", "dm-0", "sda", "sdb"});
}

TEST_CASE("A file in a file system lies on its disks, and a loop device over it too")
{
  FakeSysfs sysfs;
  add_disks(sysfs);
  sysfs.loop("loop0", "/mnt/file", 0, kMiB);
  sysfs.partition("loop0", "loop0p1", 4096, 4096);
  const BlockGraph graph = sysfs.graph();
  const DisksBelow disks_below = [&](const Medium&) { return std::vector{device(graph, "sda2").device}; };
  CHECK(above(graph, "sda2", disks_below) == Names{"loop0", "loop0p1"});
  CHECK(above(graph, "sda1", disks_below) == Names{});
  CHECK(above(graph, "sda1") == Names{});
  const MediumPart part = graph.whole(device(graph, "loop0p1"));
  CHECK(names(graph, graph.lies_on(part, disks_below)) == Names{"loop0p1", "loop0", "/mnt/file", "sda2", "sda"});
  CHECK(names(graph, graph.made_of(part)) == Names{"loop0p1", "loop0", "/mnt/file"});
}

TEST_CASE("A file on a disk that is mapped too may lie outside what is mapped")
{
  FakeSysfs sysfs;
  sysfs.disk("sda", 100 * kMiB);
  sysfs.disk("dm-0", 20 * kMiB, {"sda"});
  sysfs.loop("loop0", "/mnt/file", 0, kMiB);
  const BlockGraph graph = sysfs.graph();
  const DisksBelow disks_below = [&](const Medium&) { return std::vector{device(graph, "sda").device}; };
  CHECK(above(graph, "sda", disks_below) == Names{"dm-0", "loop0"});
  CHECK(above(graph, "dm-0", disks_below) == Names{});
}

TEST_CASE("A device may tell no size, or a larger one than there is")
{
  FakeSysfs sysfs;
  sysfs.disk("sda", 0);
  sysfs.disk("sdb", 0);
  sysfs.write("sdb", "size", "18446744073709551615");
  sysfs.loop("loop0", "/dev/sda", 0, 0);
  const BlockGraph graph = sysfs.graph();
  CHECK(graph.whole(device(graph, "sda")).range == ByteRange{0, INT64_MAX});
  CHECK(graph.whole(device(graph, "sdb")).range == ByteRange{0, INT64_MAX});
  CHECK(below(graph, "loop0") == Names{"loop0"});
}

TEST_CASE("A member of a bcache is none itself")
{
  FakeSysfs sysfs;
  sysfs.disk("sda", kMiB);
  sysfs.disk("bcache0", kMiB, {"sda"});
  for (const char* name : {"sda", "bcache0"})
    sysfs.write(name, "bcache/state", "clean");
  const BlockGraph graph = sysfs.graph();
  CHECK(graph.find(device(graph, "sda").device)->is_bcache_member);
  CHECK_FALSE(graph.find(device(graph, "bcache0").device)->is_bcache_member);
}

TEST_CASE("A circle of devices, and no sysfs at all, have an end")
{
  FakeSysfs sysfs;
  sysfs.disk("dm-0", kMiB);
  sysfs.disk("dm-1", kMiB, {"dm-0"});
  sysfs.loop("loop0", "/dev/loop1", 0, kMiB);
  sysfs.loop("loop1", "/dev/loop0", 4096, kMiB);
  const BlockGraph graph = sysfs.graph();
  CHECK(above(graph, "loop0") == Names{});
  CHECK(below(graph, "loop0") == Names{"loop0", "loop1"});
  CHECK(read_block_devices("/nonexistent").empty());
}
