// SPDX-License-Identifier: BSD-3-Clause
#include "core/target/target.h"

#include "core/error.h"
#include "core/gpt/fields.h"
#include "core/source/file_io.h"
#include "core/target/chunk.h"
#include "core/target/durable_file.h"
#include "core/target/holders.h"
#include "core/target/medium.h"

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <thread>

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

/// Refuses what somebody holds.
[[noreturn]] void refuse_held(const std::string& path, const std::vector<Holder>& holders)
{
  if (holders.empty())
    refuse("{}: in use by another program; stop that first (lsblk and fuser show more)", path);
  if (holders.size() == 1 && holders.front().kind == Holder::Kind::loop && holders.front().what == path)
    refuse("{0}: in use by {1}; name that device instead, or detach it (losetup -d {1})", path, holders.front().by);
  std::vector<std::string> sentences;
  sentences.reserve(holders.size());
  for (const Holder& holder : holders)
    sentences.push_back(to_string(holder));
  refuse("{}: in use: {}; unmount or stop that first", path, fmt::join(sentences, "; "));
}

Scope scope_of(Others others)
{
  return others == Others::none ? Scope::every_byte : Scope::beside_partitions;
}

constexpr auto kUdevTime = std::chrono::seconds(1);

bool is_unsupported(int error)
{
  return error == EOPNOTSUPP || error == ENOSYS || error == ENOTTY || error == EINVAL || error == ENODEV;
}

int fallocate_range(int fd, int mode, ByteRange range)
{
  int result = 0;
  do
    result = ::fallocate(fd, mode, static_cast<off_t>(range.offset), static_cast<off_t>(range.size));
  while (result == -1 && errno == EINTR);
  return result;
}

int fallocate_hole(int fd, ByteRange range)
{
  return fallocate_range(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, range);
}

FileDescriptor open_exclusively(const std::string& path, bool is_block_device)
{
  // On a block device, O_EXCL without O_CREAT fails while anything else holds the disk or one of its partitions.
  return FileDescriptor(::open(path.c_str(), O_RDWR | O_CLOEXEC | (is_block_device ? O_EXCL : 0)));
}

/// The kernel lets a disk be held as a whole, or partitions of it, not both: who is known to hold a partition holds it alone.
bool is_held_in_partitions_alone(const std::string& path, const struct stat& status)
{
  return find_holders(path, status, Scope::beside_partitions).holders.empty() &&
         !find_holders(path, status, Scope::every_byte).holders.empty();
}

FileDescriptor make_file(const std::string& path, std::uint64_t size_bytes, mode_t mode)
{
  FileDescriptor fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_CREAT | O_EXCL, mode));
  const bool exists = fd.get() == -1 && errno == EEXIST;
  if (std::error_code none; exists && !std::filesystem::exists(path, none))
    refuse("{}: a symbolic link to {}, which does not exist; name that instead", path,
           std::filesystem::read_symlink(path, none).string());
  if (exists)
    refuse("{}: exists already", path);
  if (fd.get() == -1)
    fail(errno, path + ": cannot be made");
  if (::ftruncate(fd.get(), static_cast<off_t>(size_bytes)) == -1) {
    const int error = errno;
    ::unlink(path.c_str());
    fail(error, fmt::format("{}: cannot be made {} bytes long", path, size_bytes));
  }
  return fd;
}

}  // namespace

DeviceTarget::Opened DeviceTarget::open_to_write(const std::string& path, Others others)
{
  struct stat status;
  if (::stat(path.c_str(), &status) == -1)
    fail(errno, path);
  const bool is_block_device = S_ISBLK(status.st_mode);
  if (!is_block_device && !S_ISREG(status.st_mode))
    refuse("{}: neither a regular file nor a block device", path);
  Opened opened{open_exclusively(path, is_block_device)};
  if (opened.fd.get() == -1 && errno == EBUSY) {
    if (others == Others::none || !is_held_in_partitions_alone(path, status))
      refuse_held(path, find_holders(path, status, scope_of(others)).holders);
    opened = {FileDescriptor(::open(path.c_str(), O_RDWR | O_CLOEXEC)), true};
  }
  if (opened.fd.get() == -1)
    fail(errno, path + ": cannot be opened for writing");
  // The superuser may open a read-only device for writing; the first write would fail.
  if (int read_only = 0; is_block_device && ::ioctl(opened.fd.get(), BLKROGET, &read_only) == 0 && read_only != 0)
    refuse("{}: cannot be opened for writing: the device is read-only", path);
  return opened;
}

DeviceTarget::DeviceTarget(const std::string& path, Others others)
    : DeviceTarget(path, open_to_write(path, others), others)
{
}

DeviceTarget::DeviceTarget(const std::string& path, Opened opened, Others others)
    : DirectSource(FileSource(path, std::move(opened.fd))), has_partitions_in_use_(opened.has_partitions_in_use)
{
  hold();
  refuse_if_held(others);
  if (has_partitions_in_use_ && direct_fd() == -1)
    refuse("{}: its partitions are in use, and it cannot be written past the page cache beside them", name());
}

void DeviceTarget::refuse_if_held(Others others)
{
  Holding holding = find_holders(name(), *status_of(*this), scope_of(others));
  if (!holding.holders.empty())
    refuse_held(name(), holding.holders);
  claims_ = std::move(holding.claims);
  unseen_holders_ = std::move(holding.unseen);
}

DeviceTarget::DeviceTarget(const std::string& path, std::uint64_t size_bytes, mode_t mode)
    : DirectSource(FileSource(path, make_file(path, size_bytes, mode)))
{
  hold();
  sync_directory_of(path);
}

/// Locks of both kinds that programs take: flock(1) and udev the one, QEMU the other.
void DeviceTarget::hold()
{
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  const auto is_locked = [&] {
    return (::flock(fd(), LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK) ||
           (::fcntl(fd(), F_OFD_SETLK, &whole) == -1 && (errno == EAGAIN || errno == EACCES));
  };
  // udev locks a device for a moment whenever somebody has written to it.
  const auto deadline = std::chrono::steady_clock::now() + kUdevTime;
  while (is_block_device() && is_locked() && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  if (is_locked())
    refuse("{}: locked by another program; stop that first (lslocks and fuser show more)", name());
}

void DeviceTarget::write(std::uint64_t offset, std::span<const std::byte> bytes)
{
  if (has_partitions_in_use_)
    write_past_cache(offset, bytes);
  else
    write_fully(fd(), name(), offset, bytes);
}

/// The cache of the disk is written in pages. A page may hold sectors of a partition too, as they were before that wrote them.
void DeviceTarget::write_past_cache(std::uint64_t offset, std::span<const std::byte> bytes)
{
  const AlignedMemory copy = make_aligned(bytes.size());
  std::ranges::copy(bytes, copy.get());
  write_fully(direct_fd(), name(), offset, {copy.get(), bytes.size()});
}

void DeviceTarget::flush()
{
  if (::fsync(fd()) == -1)
    fail(errno, name() + ": fsync");
}

void DeviceTarget::zero(ByteRange range)
{
  static const std::vector<std::byte> zeros(1024 * 1024);
  const auto write_zeros = [&](std::uint64_t offset, std::uint64_t end) {
    for (; offset < end; offset += std::min<std::uint64_t>(end - offset, zeros.size()))
      write(offset, std::span(zeros).first(std::min<std::uint64_t>(end - offset, zeros.size())));
  };
  const ByteRange middle = aligned_part(range, kDirectAlignment);
  write_zeros(range.offset, middle.offset);
  write_zeros(middle.end(), range.end());
  if (middle.size == 0)
    return;
  for (ZeroMethod method = zero_method_; method != ZeroMethod::write; method = zero_method_) {
    if (try_zero(method, middle) && (!is_block_device() || ends_are_zero(middle)))
      return;
    zero_method_ = method == ZeroMethod::punch && is_block_device() ? ZeroMethod::device : ZeroMethod::write;
  }
  write_zeros(middle.offset, middle.end());
}

bool DeviceTarget::try_zero(ZeroMethod method, ByteRange range)
{
  std::uint64_t place[] = {range.offset, range.size};
  if ((method == ZeroMethod::punch ? fallocate_hole(fd(), range) : ::ioctl(fd(), BLKZEROOUT, place)) == 0)
    return true;
  if (!is_unsupported(errno))
    fail(errno, fmt::format("{}: zeroing bytes {}-{}", name(), range.offset, range.end() - 1));
  return false;
}

bool DeviceTarget::ends_are_zero(ByteRange range) const
{
  alignas(kDirectAlignment) std::byte block[kDirectAlignment];
  for (const std::uint64_t offset : {range.offset, range.end() - sizeof(block)}) {
    read(offset, block);
    if (!is_zero(block))
      return false;
  }
  return true;
}

bool DeviceTarget::discard(ByteRange range)
{
  range = aligned_part(range, kDirectAlignment);
  std::uint64_t place[] = {range.offset, range.size};
  return range.size == 0 || (is_block_device() ? ::ioctl(fd(), BLKDISCARD, place) : fallocate_hole(fd(), range)) == 0;
}

bool DeviceTarget::zero_by_device(ByteRange range)
{
  // Punching does not fall back to sending zeros.
  range = aligned_part(range, kDirectAlignment);
  return range.size == 0 || (fallocate_hole(fd(), range) == 0 && ends_are_zero(range));
}

bool DeviceTarget::allocate(ByteRange range)
{
  const int result = fallocate_range(fd(), FALLOC_FL_KEEP_SIZE, range);
  if (result == -1 && !is_unsupported(errno))
    fail(errno, fmt::format("{}: taking space for bytes {}-{}", name(), range.offset, range.end() - 1));
  return result == 0;
}

std::optional<std::string> DeviceTarget::reread_partitions()
{
  if (!is_block_device() || ::ioctl(fd(), BLKRRPART) == 0)
    return std::nullopt;
  const int error = errno;
  return fmt::format("{}: the kernel did not read the new table ({}); {}", name(),
                     std::generic_category().message(error),
                     error == EBUSY ? "it uses the old one until the disk is free, or until the next boot"
                                    : "it shows no partitions of this device");
}

}  // namespace gptgrow
