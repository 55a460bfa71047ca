// SPDX-License-Identifier: BSD-3-Clause
#include "fuse/splice_pipe.h"

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

namespace gptgrow {

bool SplicePipe::fill(int fd, ByteRange range) noexcept
{
  if (range.size > kMaxSizeBytes || !open())
    return false;
  auto offset = static_cast<off_t>(range.offset);
  while (range.size != 0) {
    const ssize_t count = ::splice(fd, &offset, write_end_.get(), nullptr, range.size, SPLICE_F_NONBLOCK);
    if (count == -1 && errno == EINTR)
      continue;
    if (count <= 0) {
      clear();
      return false;
    }
    range.size -= static_cast<std::uint64_t>(count);
  }
  return true;
}

void SplicePipe::clear() noexcept
{
  read_end_ = FileDescriptor();
  write_end_ = FileDescriptor();
}

bool SplicePipe::open() noexcept
{
  if (read_end_.get() != -1)
    return true;
  int ends[2];
  if (unavailable_ || ::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == -1)
    return false;
  read_end_ = FileDescriptor(ends[0]);
  write_end_ = FileDescriptor(ends[1]);
  // A page for each page, and one more where the range is not aligned; the kernel rounds up to a power of 2.
  if (::fcntl(ends[1], F_SETPIPE_SZ, static_cast<int>(2 * kMaxSizeBytes)) == -1) {
    clear();
    unavailable_ = true;
    return false;
  }
  return true;
}

}  // namespace gptgrow
