// SPDX-License-Identifier: BSD-3-Clause
#include "core/target/medium.h"

#include <fmt/core.h>
#include <libmount.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <system_error>

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace gptgrow {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxDevices = 256;  // below one

/// The first line of a file of sysfs; empty when there is none.
std::string line_of(const fs::path& path)
{
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  line.erase(line.find_last_not_of(" \t\n") + 1);
  line.erase(0, line.find_first_not_of(" \t"));
  return line;
}

/// The kernel's folder for a block device: .../block/sdb, or .../block/sdb/sdb1 for a partition.
fs::path sysfs_folder(dev_t device)
{
  const fs::path link = fmt::format("/sys/dev/block/{}:{}", major(device), minor(device));
  std::error_code error;
  const fs::path folder = fs::canonical(link, error);
  return error ? link : folder;
}

std::vector<fs::path> entries(const fs::path& folder)
{
  std::vector<fs::path> result;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored))
    result.push_back(entry.path());
  return result;
}

struct stat status_of(int fd)
{
  struct stat status;
  if (::fstat(fd, &status) == -1)
    throw std::system_error(errno, std::generic_category(), "fstat");
  return status;
}

bool is_same_file(const struct stat& a, const struct stat& b)
{
  if (S_ISBLK(a.st_mode) && S_ISBLK(b.st_mode))
    return a.st_rdev == b.st_rdev;
  return S_ISBLK(a.st_mode) == S_ISBLK(b.st_mode) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

std::optional<dev_t> number_of(const fs::path& folder)
{
  unsigned major_number = 0, minor_number = 0;
  if (std::sscanf(line_of(folder / "dev").c_str(), "%u:%u", &major_number, &minor_number) != 2)
    return std::nullopt;
  return makedev(major_number, minor_number);
}

struct stat status_of_device(dev_t device)
{
  struct stat status{};
  status.st_mode = S_IFBLK;
  status.st_rdev = device;
  return status;
}

/// What a loop device is over, asked of the device itself: a path may be gone, or mean something else here.
std::optional<struct stat> behind_loop(const fs::path& folder)
{
  if (!fs::exists(folder / "loop/backing_file"))
    return std::nullopt;
  struct stat status{};
  const FileDescriptor fd(::open(("/dev" / folder.filename()).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (loop_info64 info{}; fd.get() != -1 && ::ioctl(fd.get(), LOOP_GET_STATUS64, &info) == 0) {
    if (info.lo_rdevice != 0)
      return status_of_device(static_cast<dev_t>(info.lo_rdevice));
    status.st_mode = S_IFREG;
    status.st_dev = static_cast<dev_t>(info.lo_device);
    status.st_ino = info.lo_inode;
    return status;
  }
  if (::stat(line_of(folder / "loop/backing_file").c_str(), &status) == 0)
    return status;
  return std::nullopt;
}

/// Itself first, then all that it is made of: the disk of a partition, the file behind a loop device, the disks below a
/// mapped device or RAID.
std::vector<struct stat> chain(const struct stat& first)
{
  std::vector<struct stat> result{first};
  for (std::size_t i = 0; i < result.size() && result.size() < kMaxDevices; ++i) {
    if (!S_ISBLK(result[i].st_mode))
      continue;
    const fs::path folder = sysfs_folder(result[i].st_rdev);
    if (fs::exists(folder / "partition"))
      if (const auto disk = number_of(folder.parent_path()))
        result.push_back(status_of_device(*disk));
    if (const auto backing = behind_loop(folder))
      result.push_back(*backing);
    for (const fs::path& slave : entries(folder / "slaves"))
      if (const auto device = number_of(slave))
        result.push_back(status_of_device(*device));
  }
  return result;
}

bool contains(const std::vector<struct stat>& chain, const struct stat& status)
{
  return std::ranges::any_of(chain, [&](const struct stat& link) { return is_same_file(link, status); });
}

struct Unref {
  void operator()(libmnt_table* table) const { mnt_unref_table(table); }
  void operator()(libmnt_iter* iterator) const { mnt_free_iter(iterator); }
};

/// Calls `use` for each line of a table that is about `device`.
template <typename Use>
void for_each_line(libmnt_table* table, dev_t device, Use use)
{
  const std::unique_ptr<libmnt_iter, Unref> iterator(mnt_new_iter(MNT_ITER_FORWARD));
  libmnt_fs* line = nullptr;
  while (iterator && mnt_table_next_fs(table, iterator.get(), &line) == 0) {
    // Some file systems have a device number of their own; their source tells.
    struct stat status;
    const char* source = mnt_fs_get_srcpath(line);
    const bool is_source = source && ::stat(source, &status) == 0 && S_ISBLK(status.st_mode) && status.st_rdev == device;
    if (is_source || mnt_fs_get_devno(line) == device)
      use(line);
  }
}

}  // namespace

bool same_medium(const Image& a, const Image& b)
{
  const auto chain_a = chain(status_of(a.fd())), chain_b = chain(status_of(b.fd()));
  return contains(chain_a, chain_b.front()) || contains(chain_b, chain_a.front());
}

std::string loop_device_over(int fd)
{
  const struct stat status = status_of(fd);
  for (const fs::path& folder : entries("/sys/block")) {
    if (const auto backing = behind_loop(folder); backing && is_same_file(status, *backing))
      return "/dev/" + folder.filename().string();
  }
  return "";
}

std::vector<std::string> holders(dev_t device)
{
  const fs::path disk = sysfs_folder(device);
  std::vector<fs::path> folders{disk};
  for (const fs::path& folder : entries(disk))
    if (fs::exists(folder / "partition"))
      folders.push_back(folder);
  const std::unique_ptr<libmnt_table, Unref> mounts(mnt_new_table()), swaps(mnt_new_table());
  if (mounts)
    mnt_table_parse_file(mounts.get(), "/proc/self/mountinfo");
  if (swaps)
    mnt_table_parse_swaps(swaps.get(), nullptr);

  std::vector<std::string> result;
  for (const fs::path& folder : folders) {
    const std::string name = "/dev/" + folder.filename().string();
    const auto node = number_of(folder);
    if (!node)
      continue;
    for_each_line(mounts.get(), *node, [&](libmnt_fs* line) {
      const char* where = mnt_fs_get_target(line);
      result.push_back(fmt::format("{} is mounted on {}", name, where ? where : "?"));
    });
    for_each_line(swaps.get(), *node, [&](libmnt_fs*) { result.push_back(name + " is swap space"); });
    for (const fs::path& holder : entries(folder / "holders")) {
      const std::string what = line_of(holder / "dm/name");
      result.push_back(fmt::format("{} is a part of /dev/{}", name,
                                   what.empty() ? holder.filename().string() : "mapper/" + what));
    }
  }
  return result;
}

std::string hardware_name(dev_t device)
{
  fs::path folder = sysfs_folder(device);
  if (fs::exists(folder / "partition"))
    folder = folder.parent_path();
  if (const std::string file = line_of(folder / "loop/backing_file"); !file.empty())
    return "loop device over " + file;
  const std::string vendor = line_of(folder / "device/vendor"), model = line_of(folder / "device/model");
  std::string name = vendor.starts_with("0x") || vendor.empty() || model.empty() ? model : vendor + ' ' + model;
  for (const char* place : {"device/serial", "serial", "device/wwid", "wwid"}) {
    if (const std::string serial = line_of(folder / place); !serial.empty())
      return fmt::format("{}{}serial {}", name, name.empty() ? "" : ", ", serial);
  }
  return name;
}

bool is_partition(dev_t device)
{
  return fs::exists(sysfs_folder(device) / "partition");
}

}  // namespace gptgrow
