// SPDX-License-Identifier: BSD-3-Clause
#include "fuse/tree.h"

#include "fuse/udev_name.h"

#include <algorithm>
#include <climits>
#include <set>

#include <fmt/core.h>

namespace gptgrow {

namespace {

std::string to_lower(std::string text)
{
  for (char& c : text)
    if (c >= 'A' && c <= 'Z')
      c = static_cast<char>(c - 'A' + 'a');
  return text;
}

/// Names of links, each given once.
class LinkNames {
public:
  /// `name`, or `name`~SLOT where that is empty or taken, or ~SLOT where that is too long: "~" is in no encoded name.
  std::string take(std::string name, std::uint32_t slot)
  {
    if (!name.empty() && taken_.insert(name).second)
      return name;
    const std::string suffix = fmt::format("~{}", slot);
    return name.size() + suffix.size() > NAME_MAX ? suffix : name + suffix;
  }

private:
  std::set<std::string> taken_;
};

}  // namespace

Tree::Tree(std::uint64_t disk_size_bytes, std::span<const Partition> partitions, std::string layout_text,
           std::string layout_json)
{
  nodes_.push_back({kRootInode, Directory{}});
  add(kRootInode, "disk.raw", DiskFile{{0, disk_size_bytes}});
  add(kRootInode, "layout.txt", TextFile{std::move(layout_text)});
  add(kRootInode, "layout.json", TextFile{std::move(layout_json)});
  const Inode files = add(kRootInode, "partitions", Directory{});
  const Inode by_name = add(kRootInode, "by-name", Directory{});
  const Inode by_partuuid = add(kRootInode, "by-partuuid", Directory{});
  LinkNames names, guids;
  for (const auto& [slot, range, name, partition_guid] : partitions) {
    const std::string file = fmt::format("{}.raw", slot);
    const Link link{"../partitions/" + file};
    add(files, file, DiskFile{range});
    add(by_name, names.take(encode_udev_name(name), slot), link);
    add(by_partuuid, guids.take(to_lower(partition_guid), slot), link);
  }
  for (const Inode directory : {kRootInode, files, by_name, by_partuuid})
    std::ranges::sort(children(directory));
}

Inode Tree::find(Inode parent, std::string_view name) const
{
  const auto* directory = std::get_if<Directory>(&node(parent).content);
  if (!directory)
    return 0;
  const auto found = std::ranges::lower_bound(directory->children, name, {}, &Child::first);
  return found != directory->children.end() && found->first == name ? found->second : 0;
}

Inode Tree::add(Inode parent, std::string name, Content content)
{
  nodes_.push_back({parent, std::move(content)});
  const Inode inode = nodes_.size();
  children(parent).emplace_back(std::move(name), inode);
  return inode;
}

std::vector<Child>& Tree::children(Inode directory)
{
  return std::get<Directory>(nodes_[directory - kRootInode].content).children;
}

}  // namespace gptgrow
