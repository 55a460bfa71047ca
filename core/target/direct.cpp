// SPDX-License-Identifier: BSD-3-Clause
#include "core/target/direct.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace gptgrow {

namespace {

/// One call's worth; 0 at the end of the file.
std::size_t read_some(int fd, const std::string& path, std::uint64_t offset, std::span<std::byte> buffer)
{
  ssize_t count = 0;
  do
    count = ::pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(offset));
  while (count == -1 && errno == EINTR);
  if (count == -1)
    throw std::system_error(errno, std::generic_category(), fmt::format("{}: read at byte {}", path, offset));
  return static_cast<std::size_t>(count);
}

}  // namespace

FileDescriptor open_direct(int fd)
{
  const int mode = ::fcntl(fd, F_GETFL) & O_ACCMODE;
  FileDescriptor direct(::open(fmt::format("/proc/self/fd/{}", fd).c_str(), mode | O_DIRECT | O_CLOEXEC));
  alignas(kDirectAlignment) std::byte block[kDirectAlignment];
  const bool wants_more = direct.get() != -1 && ::pread(direct.get(), block, sizeof(block), 0) == -1 && errno == EINVAL;
  return wants_more ? FileDescriptor() : std::move(direct);
}

void read_medium(int fd, int direct, const std::string& path, std::uint64_t offset, std::span<std::byte> buffer)
{
  if (direct == -1)
    (void)::posix_fadvise(fd, static_cast<off_t>(offset), static_cast<off_t>(buffer.size()), POSIX_FADV_DONTNEED);
  alignas(kDirectAlignment) std::byte block[kDirectAlignment];
  while (!buffer.empty()) {
    std::size_t count = 0;
    if (direct == -1) {
      count = read_some(fd, path, offset, buffer);
    } else {
      const std::size_t skipped = offset % kDirectAlignment;
      const std::size_t found = read_some(direct, path, offset - skipped, block);
      count = std::min(buffer.size(), found > skipped ? found - skipped : 0);
      std::memcpy(buffer.data(), block + skipped, count);
    }
    if (count == 0)
      throw std::system_error(EIO, std::generic_category(), fmt::format("{}: ends at byte {}", path, offset));
    buffer = buffer.subspan(count);
    offset += count;
  }
}

}  // namespace gptgrow
