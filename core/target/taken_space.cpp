// SPDX-License-Identifier: BSD-3-Clause
#include "core/target/taken_space.h"

#include "core/disk/size.h"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace gptgrow {

namespace {

using Interval = boost::icl::interval<std::uint64_t>;
using Ranges = boost::icl::interval_set<std::uint64_t>;

constexpr std::uint64_t kBlockBytes = 4096;
constexpr unsigned kExtents = 256;  // of one call

/// What has space, reserved and never written too. False: the file system does not tell.
bool subtract_extents(int fd, Ranges& holes)
{
  std::vector<std::uint64_t> memory((sizeof(fiemap) + kExtents * sizeof(fiemap_extent)) / sizeof(std::uint64_t) + 1);
  auto* const map = reinterpret_cast<fiemap*>(memory.data());
  for (std::uint64_t offset = 0;;) {
    std::ranges::fill(memory, 0);
    map->fm_start = offset;
    map->fm_length = FIEMAP_MAX_OFFSET - offset;
    map->fm_flags = FIEMAP_FLAG_SYNC;
    map->fm_extent_count = kExtents;
    if (::ioctl(fd, FS_IOC_FIEMAP, map) == -1)
      return false;
    for (unsigned i = 0; i < map->fm_mapped_extents; ++i) {
      const fiemap_extent& extent = map->fm_extents[i];
      offset = extent.fe_logical + extent.fe_length;
      holes -= Interval::right_open(extent.fe_logical, offset);
      if (extent.fe_flags & FIEMAP_EXTENT_LAST)
        return true;
    }
    if (map->fm_mapped_extents == 0)
      return true;
  }
}

void subtract_data(int fd, Ranges& holes)
{
  for (off_t end = 0;;) {
    const off_t data = ::lseek(fd, end, SEEK_DATA);
    if (data == -1 && errno == ENXIO)
      return;
    end = data == -1 ? -1 : ::lseek(fd, data, SEEK_HOLE);
    if (end == -1) {
      holes.clear();
      return;
    }
    holes -= Interval::right_open(static_cast<std::uint64_t>(data), static_cast<std::uint64_t>(end));
  }
}

Ranges holes_of(const FileSource& file)
{
  Ranges holes;
  holes += Interval::right_open(0, file.size_bytes());
  if (!subtract_extents(file.fd(), holes))
    subtract_data(file.fd(), holes);
  return holes;
}

/// File systems give whole blocks.
Ranges whole_blocks(const std::vector<ByteRange>& ranges, std::uint64_t size_bytes)
{
  Ranges blocks;
  for (const ByteRange& range : ranges)
    blocks += Interval::right_open(range.offset / kBlockBytes * kBlockBytes,
                                   std::min((range.end() + kBlockBytes - 1) / kBlockBytes * kBlockBytes, size_bytes));
  return blocks;
}

}  // namespace

bool TakenSpace::take(const std::vector<ByteRange>& ranges, const std::atomic<bool>& stop)
{
  const Ranges wanted = holes_of(target_) & whole_blocks(ranges, target_.size_bytes());
  std::uint64_t needed_bytes = 0;
  for (const auto& range : wanted)
    needed_bytes += range.upper() - range.lower();
  for (const auto& range : wanted) {
    if (stop)
      return false;
    const ByteRange part{range.lower(), range.upper() - range.lower()};
    const bool is_first = taken_.empty();
    if (is_first && !allocate(clip(part, part.offset + kBlockBytes)))
      return true;
    if (is_first)
      check_room(needed_bytes);
    allocate(part);
  }
  return !stop;
}

/// Some of what is needed is taken already: what is not enough then is never enough.
void TakenSpace::check_room(std::uint64_t needed_bytes) const
{
  struct statvfs status;
  if (::fstatvfs(target_.fd(), &status) == -1 || status.f_blocks == 0)
    return;
  const std::uint64_t blocks = ::geteuid() == 0 ? status.f_bfree : status.f_bavail;
  const std::uint64_t free_bytes = blocks * status.f_frsize;
  if (needed_bytes > free_bytes && needed_bytes - free_bytes > kBlockBytes)
    throw std::system_error(ENOSPC, std::generic_category(),
                            fmt::format("{}: taking space for {} more, {} free", target_.name(),
                                        format_size(needed_bytes), format_size(free_bytes)));
}

bool TakenSpace::allocate(ByteRange range)
{
  // Before it is tried: a call that fails may have taken some of it.
  taken_ += Interval::right_open(range.offset, range.end());
  return target_.allocate(range);
}

void TakenSpace::give_back() noexcept
{
  for (const auto& range : taken_)
    (void)::fallocate(target_.fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(range.lower()),
                      static_cast<off_t>(range.upper() - range.lower()));
  taken_.clear();
}

}  // namespace gptgrow
