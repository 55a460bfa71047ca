// SPDX-License-Identifier: BSD-3-Clause
// The files of a mounted disk: names, inode numbers and where the contents come from. Nothing here is read or served.
#pragma once

#include "core/units.h"

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace gptgrow {

using Inode = std::uint64_t;

inline constexpr Inode kRootInode = 1;  // FUSE's

/// A used slot, as the tree needs it.
struct Partition {
  std::uint32_t slot = 0;
  ByteRange range;             // on the disk
  std::string name;            // UTF-8, with no promise about its characters
  std::string partition_guid;  // as guid_text() prints it
};

/// A part of the disk, or all of it.
struct DiskFile {
  ByteRange range;
};

struct TextFile {
  std::string text;
};

struct Link {
  std::string target;
};

using Child = std::pair<std::string, Inode>;

struct Directory {
  std::vector<Child> children;  // sorted by name; no name twice, none empty, "." or ".."
};

using Content = std::variant<DiskFile, TextFile, Link, Directory>;

struct Node {
  Inode parent = kRootInode;  // the root's is itself
  Content content;
};

/// The same arguments make the same inode numbers. Const members may be called from several threads at once.
class Tree {
public:
  Tree(std::uint64_t disk_size_bytes, std::span<const Partition> partitions, std::string layout_text,
       std::string layout_json);

  /// How many inodes there are: they are numbered from kRootInode without a gap.
  std::size_t size() const { return nodes_.size(); }

  /// Precondition: kRootInode <= inode <= size().
  const Node& node(Inode inode) const { return nodes_[inode - kRootInode]; }

  /// The inode of `name` in `parent`; 0 when there is none. Precondition as for node().
  Inode find(Inode parent, std::string_view name) const;

private:
  Inode add(Inode parent, std::string name, Content content);
  std::vector<Child>& children(Inode directory);

  std::vector<Node> nodes_;
};

}  // namespace gptgrow
