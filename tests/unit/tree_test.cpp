// SPDX-License-Identifier: BSD-3-Clause
#include "fuse/tree.h"
#include "fuse/udev_name.h"
#include "tests/unit/catch2.h"

using namespace gptgrow;

namespace {

const std::vector<Partition> kPartitions = {
    {1, {512, 1024}, "boot", "AAAAAAAA-0000-4000-8000-00000000000F"},
    {5, {2048, 512}, "", "AAAAAAAA-0000-4000-8000-000000000005"},
    {10, {4096, 0}, "boot", "AAAAAAAA-0000-4000-8000-00000000000F"},
};

Inode find(const Tree& tree, std::string_view folder, std::string_view name)
{
  return tree.find(tree.find(kRootInode, folder), name);
}

std::string target(const Tree& tree, std::string_view folder, std::string_view name)
{
  const Inode inode = find(tree, folder, name);
  return inode == 0 ? "" : std::get<Link>(tree.node(inode).content).target;
}

}  // namespace

TEST_CASE("The tree holds the disk, each partition under its slot's number, and both layouts")
{
  const Tree tree(8192, kPartitions, "text", "json");
  CHECK(std::get<DiskFile>(tree.node(tree.find(kRootInode, "disk.raw")).content).range == ByteRange{0, 8192});
  CHECK(std::get<TextFile>(tree.node(tree.find(kRootInode, "layout.txt")).content).text == "text");
  CHECK(std::get<TextFile>(tree.node(tree.find(kRootInode, "layout.json")).content).text == "json");
  for (const Partition& partition : kPartitions) {
    const Inode inode = find(tree, "partitions", std::to_string(partition.slot) + ".raw");
    REQUIRE(inode != 0);
    CHECK(std::get<DiskFile>(tree.node(inode).content).range == partition.range);
    CHECK(tree.node(inode).parent == tree.find(kRootInode, "partitions"));
  }
  CHECK(find(tree, "partitions", "2.raw") == 0);
  CHECK(find(tree, "disk.raw", "x") == 0);
  CHECK(tree.find(kRootInode, "") == 0);
}

TEST_CASE("Names and GUIDs that are empty or repeated are told apart by their slot")
{
  const Tree tree(8192, kPartitions, "", "");
  CHECK(target(tree, "by-name", "boot") == "../partitions/1.raw");
  CHECK(target(tree, "by-name", "~5") == "../partitions/5.raw");
  CHECK(target(tree, "by-name", "boot~10") == "../partitions/10.raw");
  CHECK(target(tree, "by-partuuid", "aaaaaaaa-0000-4000-8000-00000000000f") == "../partitions/1.raw");
  CHECK(target(tree, "by-partuuid", "aaaaaaaa-0000-4000-8000-000000000005") == "../partitions/5.raw");
  CHECK(target(tree, "by-partuuid", "aaaaaaaa-0000-4000-8000-00000000000f~10") == "../partitions/10.raw");
}

TEST_CASE("No name of a link is longer than a file system allows")
{
  std::string noncharacters;
  for (int i = 0; i < 36; ++i)
    noncharacters += "\uffff";
  const std::string long_name(kMaxUdevNameBytes, 'x');
  const std::vector<Partition> partitions = {
      {1, {512, 512}, noncharacters, "A"}, {2, {1024, 512}, long_name, "B"}, {1000, {2048, 512}, long_name, "C"}};
  const Tree tree(8192, partitions, "", "");
  CHECK(target(tree, "by-name", "~1") == "../partitions/1.raw");
  CHECK(target(tree, "by-name", long_name) == "../partitions/2.raw");
  CHECK(target(tree, "by-name", "~1000") == "../partitions/1000.raw");
}

TEST_CASE("Each inode has one place, and the same partitions have the same inodes")
{
  const Tree tree(8192, kPartitions, "a", "b"), other(1 << 20, kPartitions, "c", "d");
  std::vector<bool> seen(tree.size() + 1);
  for (Inode folder = kRootInode; folder <= tree.size(); ++folder)
    if (const auto* directory = std::get_if<Directory>(&tree.node(folder).content))
      for (const auto& [name, inode] : directory->children) {
        CHECK_FALSE(seen.at(inode));
        seen.at(inode) = true;
        CHECK(tree.node(inode).parent == folder);
        CHECK(tree.find(folder, name) == inode);
        CHECK(other.find(folder, name) == inode);
      }
  CHECK(std::count(seen.begin(), seen.end(), true) == static_cast<std::ptrdiff_t>(tree.size() - 1));
  CHECK(other.size() == tree.size());
}
