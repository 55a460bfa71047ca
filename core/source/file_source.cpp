// SPDX-License-Identifier: BSD-3-Clause
#include "core/source/file_source.h"

#include "core/error.h"
#include "core/source/file_io.h"

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gptgrow {

namespace {

[[noreturn]] void fail(int error, const std::string& what)
{
  throw std::system_error(error, std::generic_category(), what);
}

FileDescriptor open_to_read(const std::string& path)
{
  // Opening a FIFO would wait for a writer.
  struct stat status;
  if (::stat(path.c_str(), &status) == -1)
    fail(errno, path);
  if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode))
    refuse("{}: neither a regular file nor a block device", path);
  FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() == -1)
    fail(errno, path);
  return fd;
}

struct stat status_of(const FileSource& source)
{
  struct stat status;
  if (::fstat(source.fd(), &status) == -1)
    fail(errno, source.name());
  return status;
}

}  // namespace

FileSource::FileSource(const std::string& path) : FileSource(path, open_to_read(path)) {}

FileSource::FileSource(const std::string& path, FileDescriptor fd) : path_(path), fd_(std::move(fd))
{
  const struct stat status = status_of(*this);
  if (S_ISREG(status.st_mode)) {
    size_bytes_ = static_cast<std::uint64_t>(status.st_size);
    return;
  }
  int sector_size = 0;
  if (::ioctl(this->fd(), BLKGETSIZE64, &size_bytes_) == -1 || ::ioctl(this->fd(), BLKSSZGET, &sector_size) == -1)
    fail(errno, path);
  device_sector_size_bytes_ = static_cast<std::uint32_t>(sector_size);
}

void FileSource::read(std::uint64_t offset, std::span<std::byte> buffer) const
{
  while (!buffer.empty()) {
    const std::size_t count = read_some(fd(), path_, offset, buffer);
    if (count == 0)
      fail(EIO, fmt::format("{}: ends at byte {}, was {} bytes long when opened", path_, offset, size_bytes_));
    buffer = buffer.subspan(count);
    offset += count;
  }
}

Extent FileSource::extent(ByteRange range) const
{
  const off_t start = static_cast<off_t>(range.offset);
  const off_t data = ::lseek(fd(), start, SEEK_DATA);
  if (data == -1 && errno != ENXIO)
    return {range.size, false};
  if (data == -1) {
    // A file that was cut off looks like one that ends in a hole.
    check_not_shrunk(range.end());
    return {range.size, true};
  }
  if (data > start)
    return {std::min(range.end(), static_cast<std::uint64_t>(data)) - range.offset, true};
  const off_t hole = ::lseek(fd(), start, SEEK_HOLE);
  if (hole <= start)
    return {range.size, false};
  return {std::min(range.end(), static_cast<std::uint64_t>(hole)) - range.offset, false};
}

void FileSource::check_not_shrunk(std::uint64_t offset) const
{
  const struct stat status = status_of(*this);
  if (S_ISREG(status.st_mode) && static_cast<std::uint64_t>(status.st_size) < offset)
    fail(EIO, fmt::format("{}: {} bytes long, was {} when opened", path_, status.st_size, size_bytes_));
}

void FileSource::share() const
{
  // Those who overwrite a disk lock all of it; QEMU has a meaning of its own for bytes from 100 on.
  struct flock first_byte {};
  first_byte.l_type = F_RDLCK;
  first_byte.l_whence = SEEK_SET;
  first_byte.l_len = 1;
  (void)::flock(fd(), LOCK_SH | LOCK_NB);
  (void)::fcntl(fd(), F_OFD_SETLK, &first_byte);
}

void FileSource::prefetch(ByteRange range) const
{
  // Advice only: a read that follows reports what is wrong.
  (void)::posix_fadvise(fd(), static_cast<off_t>(range.offset), static_cast<off_t>(range.size), POSIX_FADV_WILLNEED);
}

std::optional<timespec> FileSource::modified() const
{
  return status_of(*this).st_mtim;
}

std::string FileSource::version() const
{
  if (is_block_device())
    return {};
  const timespec time = *modified();
  return fmt::format("modified {}.{:09}", time.tv_sec, time.tv_nsec);
}

}  // namespace gptgrow
