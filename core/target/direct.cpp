// SPDX-License-Identifier: BSD-3-Clause
#include "core/target/direct.h"

#include "core/source/file_io.h"
#include "core/target/chunk.h"
#include "core/target/sysfs.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gptgrow {

namespace {

FileDescriptor open_direct(int fd)
{
  const int mode = ::fcntl(fd, F_GETFL) & O_ACCMODE;
  FileDescriptor direct(::open(fmt::format("/proc/self/fd/{}", fd).c_str(), mode | O_DIRECT | O_CLOEXEC));
  alignas(kDirectAlignment) std::byte block[kDirectAlignment];
  const bool wants_more = direct.get() != -1 && ::pread(direct.get(), block, sizeof(block), 0) == -1 && errno == EINVAL;
  return wants_more ? FileDescriptor() : std::move(direct);
}

}  // namespace

DirectSource::DirectSource(FileSource file) : FileSource(std::move(file)), direct_(open_direct(fd())) {}

bool DirectSource::is_past_cache() const
{
  struct stat status;
  if (direct_fd() == -1 || ::fstat(direct_fd(), &status) == -1)
    return false;
  if (!S_ISBLK(status.st_mode))
    return true;
  const std::filesystem::path device = sysfs_folder(status.st_rdev);
  return line_of(device / "loop/dio") != "0" && line_of(device.parent_path() / "loop/dio") != "0";
}

void DirectSource::forget() const
{
  (void)::fdatasync(fd());
  (void)::posix_fadvise(fd(), 0, 0, POSIX_FADV_DONTNEED);
}

void DirectSource::read(std::uint64_t offset, std::span<std::byte> buffer) const
{
  if (direct_fd() == -1) {
    (void)::posix_fadvise(fd(), static_cast<off_t>(offset), static_cast<off_t>(buffer.size()), POSIX_FADV_DONTNEED);
    FileSource::read(offset, buffer);
    return;
  }
  const auto is_aligned = [](std::uint64_t value) { return value % kDirectAlignment == 0; };
  if (is_aligned(offset) && is_aligned(buffer.size()) && is_aligned(reinterpret_cast<std::uintptr_t>(buffer.data()))) {
    read_fully(direct_fd(), name(), offset, buffer);
    return;
  }
  const std::uint64_t blocks = (offset % kDirectAlignment + buffer.size() - 1) / kDirectAlignment + 1;
  const std::size_t size = std::min<std::uint64_t>(blocks * kDirectAlignment, kChunkBytes);
  const AlignedMemory memory = make_aligned(size);
  while (!buffer.empty()) {
    const std::size_t skipped = offset % kDirectAlignment;
    const std::size_t found = read_some(direct_fd(), name(), offset - skipped, {memory.get(), size});
    if (found <= skipped)
      throw_end_of_file(name(), offset);
    const std::size_t count = std::min(buffer.size(), found - skipped);
    std::memcpy(buffer.data(), memory.get() + skipped, count);
    buffer = buffer.subspan(count);
    offset += count;
  }
}

}  // namespace gptgrow
