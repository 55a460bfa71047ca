// SPDX-License-Identifier: BSD-3-Clause
#include "fuse/file_system.h"

#include <unistd.h>

namespace gptgrow {

namespace {

constexpr std::uint64_t kBlockSizeBytes = 512;  // of st_blocks
constexpr std::int64_t kUnknown = -1;

std::int64_t count_data_blocks(const Disk& disk, ByteRange range)
{
  std::uint64_t data_bytes = 0;
  while (range.size != 0) {
    const Extent extent = disk.extent(range);
    data_bytes += extent.hole ? 0 : extent.size;
    range = {range.offset + extent.size, range.size - extent.size};
  }
  return static_cast<std::int64_t>((data_bytes + kBlockSizeBytes - 1) / kBlockSizeBytes);
}

}  // namespace

mode_t mode_of(const Content& content)
{
  if (std::holds_alternative<Directory>(content))
    return S_IFDIR | 0555;
  return std::holds_alternative<Link>(content) ? S_IFLNK | 0777 : S_IFREG | 0444;
}

FileSystem::FileSystem(const Disk& disk, Tree tree)
    : disk_(disk), tree_(std::move(tree)), block_counts_(tree_.size() + 1)
{
  common_.st_uid = ::getuid();
  common_.st_gid = ::getgid();
  common_.st_atim = common_.st_mtim = common_.st_ctim = disk.modified().value_or(timespec{});
  common_.st_blksize = kPageSizeBytes;
  for (auto& count : block_counts_)
    count = kUnknown;
}

struct stat FileSystem::attributes(Inode inode) const
{
  const Content& content = tree_.node(inode).content;
  struct stat result = common_;
  result.st_ino = inode;
  result.st_mode = mode_of(content);
  result.st_nlink = 1;
  std::uint64_t size = 0;
  if (const auto* file = std::get_if<DiskFile>(&content)) {
    std::atomic<std::int64_t>& count = block_counts_[inode];
    if (count == kUnknown)
      count = count_data_blocks(disk_, file->range);
    result.st_blocks = count;
    size = file->range.size;
  } else if (const auto* text = std::get_if<TextFile>(&content)) {
    size = text->text.size();
    result.st_blocks = static_cast<blkcnt_t>((size + kBlockSizeBytes - 1) / kBlockSizeBytes);
  } else if (const auto* link = std::get_if<Link>(&content)) {
    size = link->target.size();
  } else {
    result.st_nlink = 2;
    for (const auto& [name, child] : std::get<Directory>(content).children)
      result.st_nlink += std::holds_alternative<Directory>(tree_.node(child).content);
  }
  result.st_size = static_cast<off_t>(size);
  return result;
}

}  // namespace gptgrow
