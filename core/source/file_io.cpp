// SPDX-License-Identifier: BSD-3-Clause
#include "core/source/file_io.h"

#include <fmt/core.h>

#include <cerrno>

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace gptgrow {

IoError::IoError(int error, const std::string& path, const char* what, std::uint64_t offset)
    : std::system_error(error, std::generic_category(), fmt::format("{}: {} at byte {}", path, what, offset)),
      path_(path)
{
}

void throw_io_error(int error, const std::string& path, const char* what, std::uint64_t offset)
{
  throw IoError(error, path, what, offset);
}

void throw_end_of_file(const std::string& path, std::uint64_t offset)
{
  throw_io_error(EIO, path, "ends", offset);
}

int error_to_say(int error, int fd, std::uint64_t offset)
{
  std::uint64_t size = 0;
  return error == ENOSPC && ::ioctl(fd, BLKGETSIZE64, &size) == 0 && size <= offset ? ENODEV : error;
}

std::size_t read_some(int fd, const std::string& path, std::uint64_t offset, std::span<std::byte> buffer)
{
  ssize_t count = 0;
  do
    count = ::pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(offset));
  while (count == -1 && errno == EINTR);
  if (count == -1)
    throw_io_error(errno, path, "read", offset);
  return static_cast<std::size_t>(count);
}

void read_fully(int fd, const std::string& path, std::uint64_t offset, std::span<std::byte> buffer)
{
  while (!buffer.empty()) {
    const std::size_t count = read_some(fd, path, offset, buffer);
    if (count == 0)
      throw_end_of_file(path, offset);
    buffer = buffer.subspan(count);
    offset += count;
  }
}

void write_fully(int fd, const std::string& path, std::uint64_t offset, std::span<const std::byte> bytes)
{
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count == -1 && errno == EINTR)
      continue;
    if (count <= 0)
      throw_io_error(count == 0 ? EIO : error_to_say(errno, fd, offset), path, "write", offset);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
}

}  // namespace gptgrow
