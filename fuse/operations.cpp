// SPDX-License-Identifier: BSD-3-Clause
#include "fuse/operations.h"

#include "core/error.h"
#include "fuse/read_ahead.h"
#include "fuse/splice_pipe.h"

#include <cerrno>
#include <memory>
#include <new>
#include <system_error>

#include <sys/statvfs.h>
#include <unistd.h>

namespace gptgrow {

namespace {

constexpr double kTimeoutSeconds = 365 * 24 * 3600.0;  // nothing ever changes

/// libfuse copies a reply below this size even when it could be spliced.
constexpr std::uint64_t kSmallestSpliceBytes = 2 * kPageSizeBytes;

/// The first byte of `range` that is a hole, or data: its end when there is none.
std::uint64_t find(const Disk& disk, ByteRange range, bool hole)
{
  while (range.size != 0) {
    const Extent extent = disk.extent(range);
    if (extent.hole == hole)
      break;
    range = {range.offset + extent.size, range.size - extent.size};
  }
  return range.offset;
}

const FileSystem& file_system(fuse_req_t request)
{
  return *static_cast<const FileSystem*>(fuse_req_userdata(request));
}

const Content& content(fuse_req_t request, Inode inode)
{
  return file_system(request).tree().node(inode).content;
}

/// The C edge: runs `call`, whose last act is a reply; what it throws before that is logged once and becomes the reply.
template <typename Call>
void checked_call(fuse_req_t request, Call call) noexcept
{
  int error = EIO;
  try {
    call();
    return;
  } catch (const std::system_error& e) {
    fuse_log(FUSE_LOG_ERR, "gptgrow-fuse: %s\n", e.what());
    error = e.code().value();
  } catch (const std::bad_alloc&) {
    error = ENOMEM;
  } catch (const std::exception& e) {
    fuse_log(FUSE_LOG_ERR, "gptgrow-fuse: %s\n", e.what());
  }
  fuse_reply_err(request, error);
}

/// One per thread: a reply's bytes.
std::span<std::byte> reply_buffer(std::size_t size)
{
  thread_local std::unique_ptr<std::byte[]> buffer;
  thread_local std::size_t capacity = 0;
  if (capacity < size) {
    buffer = std::make_unique_for_overwrite<std::byte[]>(size);
    capacity = size;
  }
  return {buffer.get(), size};
}

void reply_bytes(fuse_req_t request, std::span<const std::byte> bytes)
{
  fuse_reply_buf(request, reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

/// Replies with bytes of the image that user space never sees. False: that was not possible, and nothing was replied.
bool reply_spliced(fuse_req_t request, const Disk& disk, ByteRange range)
{
  // An empty range may lie at the end of the disk, where nothing can be asked for.
  const auto file = range.size < kSmallestSpliceBytes ? std::nullopt : disk.file_range(range);
  if (!file)
    return false;
  // libfuse would splice from the file itself, but replies with what it has when the file turns out to be short or
  // unreadable in the middle; the kernel takes that for the end of the file and keeps zeros in its cache.
  thread_local SplicePipe pipe;
  if (!pipe.fill(file->fd, {file->offset, range.size}))
    return false;
  fuse_bufvec buffers{};
  buffers.count = 1;
  buffers.buf[0].size = range.size;
  buffers.buf[0].flags = static_cast<fuse_buf_flags>(FUSE_BUF_IS_FD | FUSE_BUF_FD_RETRY);
  buffers.buf[0].fd = pipe.read_end();
  if (fuse_reply_data(request, &buffers, fuse_buf_copy_flags{}) != 0)
    pipe.clear();
  return true;
}

void init(void*, fuse_conn_info* connection)
{
  connection->max_read = kMaxReadBytes;
  connection->max_readahead = kReadAheadBytes;
  connection->want |= connection->capable & FUSE_CAP_SPLICE_WRITE;
}

fuse_entry_param entry(const FileSystem& fs, Inode inode)
{
  fuse_entry_param result{};
  result.ino = inode;
  result.attr = fs.attributes(inode);
  result.attr_timeout = result.entry_timeout = kTimeoutSeconds;
  return result;
}

void lookup(fuse_req_t request, fuse_ino_t parent, const char* name)
{
  checked_call(request, [&] {
    const FileSystem& fs = file_system(request);
    const Inode inode = fs.tree().find(parent, name);
    if (inode == 0) {
      fuse_reply_err(request, ENOENT);
      return;
    }
    const fuse_entry_param result = entry(fs, inode);
    fuse_reply_entry(request, &result);
  });
}

void getattr(fuse_req_t request, fuse_ino_t inode, fuse_file_info*)
{
  checked_call(request, [&] {
    const struct stat attributes = file_system(request).attributes(inode);
    fuse_reply_attr(request, &attributes, kTimeoutSeconds);
  });
}

void readlink(fuse_req_t request, fuse_ino_t inode)
{
  const auto* link = std::get_if<Link>(&content(request, inode));
  if (link)
    fuse_reply_readlink(request, link->target.c_str());
  else
    fuse_reply_err(request, EINVAL);
}

/// The kernel takes this for "no need to ask", which saves two requests for each open, and keeps its page cache.
void open(fuse_req_t request, fuse_ino_t, fuse_file_info*)
{
  fuse_reply_err(request, ENOSYS);
}

void read(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t signed_offset, fuse_file_info*)
{
  checked_call(request, [&] {
    const auto offset = static_cast<std::uint64_t>(signed_offset);
    if (const auto* text = std::get_if<TextFile>(&content(request, inode))) {
      const ByteRange part = clip({offset, size}, text->text.size());
      reply_bytes(request, std::as_bytes(std::span(text->text)).subspan(part.offset, part.size));
      return;
    }
    const ByteRange file = std::get<DiskFile>(content(request, inode)).range;
    ByteRange part = clip({offset, size}, file.size);
    part.offset += file.offset;
    const Disk& disk = file_system(request).disk();
    if (reply_spliced(request, disk, part))
      return;
    const auto buffer = reply_buffer(part.size);
    disk.read(part.offset, buffer);
    reply_bytes(request, buffer);
  });
}

void lseek(fuse_req_t request, fuse_ino_t inode, off_t signed_offset, int whence, fuse_file_info*)
{
  checked_call(request, [&] {
    const FileSystem& fs = file_system(request);
    const auto offset = static_cast<std::uint64_t>(signed_offset);
    const auto* file = std::get_if<DiskFile>(&content(request, inode));
    const std::uint64_t size = file ? file->range.size : static_cast<std::uint64_t>(fs.attributes(inode).st_size);
    std::uint64_t place = size;
    if (offset < size && (whence == SEEK_DATA || whence == SEEK_HOLE)) {
      if (!file)
        place = whence == SEEK_DATA ? offset : size;
      else
        place = find(fs.disk(), {file->range.offset + offset, size - offset}, whence == SEEK_HOLE) - file->range.offset;
    }
    if (offset >= size || (whence == SEEK_DATA && place == size))
      fuse_reply_err(request, ENXIO);
    else
      fuse_reply_lseek(request, static_cast<off_t>(place));
  });
}

/// Entry 0 is ".", 1 is "..", then come the children. Of the attributes, the kernel gets type and inode number only.
void readdir(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t first, fuse_file_info*)
{
  checked_call(request, [&] {
    const Tree& tree = file_system(request).tree();
    const Node& directory = tree.node(inode);
    const auto& children = std::get<Directory>(directory.content).children;
    std::vector<char> buffer(size);
    std::size_t used = 0;
    for (auto i = static_cast<std::size_t>(first); i < children.size() + 2; ++i) {
      const Inode child = i == 0 ? inode : i == 1 ? directory.parent : children[i - 2].second;
      const char* name = i == 0 ? "." : i == 1 ? ".." : children[i - 2].first.c_str();
      struct stat attributes {};
      attributes.st_ino = child;
      attributes.st_mode = mode_of(tree.node(child).content);
      const std::size_t needed =
          fuse_add_direntry(request, buffer.data() + used, size - used, name, &attributes, static_cast<off_t>(i + 1));
      if (needed > size - used)
        break;
      used += needed;
    }
    fuse_reply_buf(request, buffer.data(), used);
  });
}

void statfs(fuse_req_t request, fuse_ino_t)
{
  const FileSystem& fs = file_system(request);
  struct statvfs result {};
  result.f_bsize = result.f_frsize = kPageSizeBytes;
  result.f_blocks = (fs.disk().size_bytes() + kPageSizeBytes - 1) / kPageSizeBytes;
  result.f_files = fs.tree().size();
  result.f_namemax = NAME_MAX;
  fuse_reply_statfs(request, &result);
}

/// The kernel refuses changes of a read-only mount by itself; root can remount it.
template <typename... Arguments>
void refuse_change(fuse_req_t request, Arguments...)
{
  fuse_reply_err(request, EROFS);
}

}  // namespace

const fuse_lowlevel_ops kOperations = {
    .init = init,
    .lookup = lookup,
    .getattr = getattr,
    .setattr = refuse_change,
    .readlink = readlink,
    .mknod = refuse_change,
    .mkdir = refuse_change,
    .unlink = refuse_change,
    .rmdir = refuse_change,
    .symlink = refuse_change,
    .rename = refuse_change,
    .link = refuse_change,
    .open = open,
    .read = read,
    .write = refuse_change,
    .opendir = open,
    .readdir = readdir,
    .statfs = statfs,
    .setxattr = refuse_change,
    .removexattr = refuse_change,
    .create = refuse_change,
    .fallocate = refuse_change,
    .lseek = lseek,
};

}  // namespace gptgrow
