// SPDX-License-Identifier: BSD-3-Clause
#include "core/repair/target.h"

#include "core/error.h"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace gptgrow {

namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(int error, const std::string& what)
{
  throw std::system_error(error, std::generic_category(), what);
}

/// The file behind loop device `name` ("loop0"), if there is one.
std::string backing_file(const std::string& name)
{
  std::ifstream file(fs::path("/sys/block") / name / "loop/backing_file");
  std::string path;
  std::getline(file, path);
  return path;
}

bool is_same_file(const struct stat& a, const struct stat& b)
{
  if (S_ISBLK(a.st_mode) && S_ISBLK(b.st_mode))
    return a.st_rdev == b.st_rdev;
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/// The loop device over the file or device, if there is one.
std::string loop_device_over(const struct stat& status)
{
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator("/sys/block", ignored)) {
    struct stat backing;
    const std::string name = entry.path().filename();
    if (const std::string path = backing_file(name);
        !path.empty() && ::stat(path.c_str(), &backing) == 0 && is_same_file(status, backing))
      return "/dev/" + name;
  }
  return "";
}

/// The status of what is behind `image` if that is a loop device, else its own.
struct stat status_of_backing(const Image& image)
{
  struct stat status;
  if (::fstat(image.fd(), &status) == -1)
    fail(errno, image.path());
  if (!S_ISBLK(status.st_mode))
    return status;
  const fs::path device =
      fs::path("/sys/dev/block") / fmt::format("{}:{}", major(status.st_rdev), minor(status.st_rdev));
  std::error_code ignored;
  const fs::path real = fs::canonical(device, ignored);
  struct stat backing;
  if (const std::string path = backing_file(real.filename()); !path.empty() && ::stat(path.c_str(), &backing) == 0)
    return backing;
  return status;
}

}  // namespace

DeviceTarget::DeviceTarget(const std::string& path) : path_(path)
{
  struct stat status;
  if (::stat(path.c_str(), &status) == -1)
    fail(errno, path);
  is_block_device_ = S_ISBLK(status.st_mode);
  if (!is_block_device_ && !S_ISREG(status.st_mode))
    refuse("{}: neither a regular file nor a block device", path);
  // On a block device, O_EXCL without O_CREAT fails while anything else holds the disk or one of its partitions.
  fd_ = FileDescriptor(::open(path.c_str(), O_RDWR | O_CLOEXEC | (is_block_device_ ? O_EXCL : 0)));
  if (fd_.get() == -1 && errno == EBUSY)
    refuse("{}: in use: a file system on it is mounted, or swap, RAID, LVM or another program holds it; "
           "unmount or stop that first (lsblk shows it)", path);
  if (fd_.get() == -1)
    fail(errno, path + ": cannot be opened for writing");
  // The superuser may open a read-only device for writing; the first write would fail.
  if (int read_only = 0; is_block_device_ && ::ioctl(fd_.get(), BLKROGET, &read_only) == 0 && read_only != 0)
    refuse("{}: cannot be opened for writing: the device is read-only", path);
  if (const std::string loop = loop_device_over(status); !loop.empty())
    refuse("{}: in use by {}; name that device instead, or detach it (losetup -d {})", path, loop, loop);
  if (::flock(fd_.get(), LOCK_EX | LOCK_NB) == -1)
    refuse("{}: locked by another program", path);
}

void DeviceTarget::write(std::uint64_t offset, std::span<const std::byte> bytes)
{
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count == -1) {
      if (errno == EINTR)
        continue;
      fail(errno, fmt::format("{}: write at byte {}", path_, offset));
    }
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
}

void DeviceTarget::flush()
{
  if (::fsync(fd_.get()) == -1)
    fail(errno, path_ + ": fsync");
}

void DeviceTarget::read(std::uint64_t offset, std::span<std::byte> buffer)
{
  // What is cached is what was written; the medium may know better.
  (void)::posix_fadvise(fd_.get(), static_cast<off_t>(offset), static_cast<off_t>(buffer.size()), POSIX_FADV_DONTNEED);
  while (!buffer.empty()) {
    const ssize_t count = ::pread(fd_.get(), buffer.data(), buffer.size(), static_cast<off_t>(offset));
    if (count == -1 && errno == EINTR)
      continue;
    if (count <= 0)
      fail(count == 0 ? EIO : errno, fmt::format("{}: read at byte {}", path_, offset));
    buffer = buffer.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
}

std::optional<std::string> DeviceTarget::reread_partitions()
{
  if (!is_block_device_ || ::ioctl(fd_.get(), BLKRRPART) == 0)
    return std::nullopt;
  const int error = errno;
  return fmt::format("{}: the kernel did not read the new table ({}); {}", path_,
                     std::generic_category().message(error),
                     error == EBUSY ? "it uses the old one until the disk is free, or until the next boot"
                                    : "it shows no partitions of this device");
}

bool same_medium(const Image& a, const Image& b)
{
  return is_same_file(status_of_backing(a), status_of_backing(b));
}

}  // namespace gptgrow
