// SPDX-License-Identifier: BSD-3-Clause
#include "core/target/mounts.h"

#include <fmt/format.h>
#include <libmount.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <memory>
#include <set>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace gptgrow {

namespace {

namespace fs = std::filesystem;

constexpr int kMaxOverlays = 16;  // one above the other

struct Unref {
  void operator()(libmnt_table* table) const { mnt_unref_table(table); }
  void operator()(libmnt_iter* iterator) const { mnt_free_iter(iterator); }
};

std::string text_of(const char* text)
{
  return text ? text : "";
}

bool read_table(const std::string& path, pid_t process, std::vector<Mount>& mounts)
{
  const std::unique_ptr<libmnt_table, Unref> table(mnt_new_table());
  const std::unique_ptr<libmnt_iter, Unref> iterator(mnt_new_iter(MNT_ITER_FORWARD));
  if (!table || !iterator || mnt_table_parse_file(table.get(), path.c_str()) != 0)
    return false;
  libmnt_fs* line = nullptr;
  while (mnt_table_next_fs(table.get(), iterator.get(), &line) == 0)
    mounts.push_back({process == 0 ? mnt_fs_get_id(line) : -1, mnt_fs_get_devno(line), text_of(mnt_fs_get_fstype(line)),
                      text_of(mnt_fs_get_source(line)), text_of(mnt_fs_get_target(line)),
                      text_of(mnt_fs_get_fs_options(line)), process});
  return true;
}

ino_t namespace_of(const std::string& process)
{
  struct stat status;
  return ::stat(fmt::format("/proc/{}/ns/mnt", process).c_str(), &status) == 0 ? status.st_ino : 0;
}

/// A program that ends meanwhile holds no mount; one that must not be looked at may.
bool is_hidden(const std::string& process)
{
  return ::access(fmt::format("/proc/{}/ns/mnt", process).c_str(), F_OK) == -1 && errno == EACCES;
}

bool is_in_memory(const std::string& type)
{
  static constexpr std::array kTypes{"tmpfs", "ramfs", "devtmpfs", "rootfs", "proc", "sysfs", "hugetlbfs"};
  return std::ranges::find(kTypes, type) != kTypes.end();
}

/// All disks of the file system that one is a part of, as btrfs lists them.
std::vector<dev_t> btrfs_disks(dev_t one, const BlockGraph& graph)
{
  std::error_code ignored;
  for (const fs::directory_entry& file_system : fs::directory_iterator("/sys/fs/btrfs", ignored)) {
    std::vector<dev_t> disks;
    for (const fs::directory_entry& entry : fs::directory_iterator(file_system.path() / "devices", ignored)) {
      const auto found = std::ranges::find(graph.devices(), entry.path().filename().string(), &BlockDevice::name);
      if (found != graph.devices().end())
        disks.push_back(found->number);
    }
    if (std::ranges::find(disks, one) != disks.end())
      return disks;
  }
  return {one};
}

std::vector<std::string> option_values(const std::string& options, std::string_view name)
{
  char* value = nullptr;
  std::size_t size = 0;
  std::vector<std::string> values;
  if (mnt_optstr_get_option(options.c_str(), std::string(name).c_str(), &value, &size) != 0 || !value)
    return values;
  std::string_view rest(value, size);
  while (!rest.empty()) {
    const std::size_t end = rest.find(':');
    if (end != 0)
      values.emplace_back(rest.substr(0, end));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  return values;
}

Backing backing_of(const Medium& file, const Mounts& mounts, const BlockGraph& graph, int depth);

Backing overlay_backing(const Mount& mount, const Mounts& mounts, const BlockGraph& graph, int depth)
{
  std::vector<std::string> folders = option_values(mount.options, "upperdir");
  for (const std::string& lower : option_values(mount.options, "lowerdir"))
    folders.push_back(lower);
  Backing result;
  if (folders.empty() || depth == kMaxOverlays)
    return {Backing::Kind::hidden, {}};
  for (const std::string& folder : folders) {
    struct stat status;
    if (!folder.starts_with('/') || ::stat(folder.c_str(), &status) == -1)
      return {Backing::Kind::hidden, {}};
    Backing below = backing_of({false, status.st_dev, status.st_ino, folder}, mounts, graph, depth + 1);
    if (below.kind != Backing::Kind::known)
      return below;
    result.disks.insert(result.disks.end(), below.disks.begin(), below.disks.end());
  }
  return result;
}

Backing backing_of(const Medium& file, const Mounts& mounts, const BlockGraph& graph, int depth)
{
  if (graph.find(file.device))
    return {Backing::Kind::known, {file.device}};
  const Mount* mount = mount_of(file, mounts);
  if (!mount)
    return {Backing::Kind::hidden, {}};
  if (is_in_memory(mount->type))
    return {};
  if (mount->type == "overlay")
    return overlay_backing(*mount, mounts, graph, depth);
  struct stat status;
  if (mount->source.starts_with('/') && ::stat(mount->source.c_str(), &status) == 0 && S_ISBLK(status.st_mode))
    return {Backing::Kind::known,
            mount->type == "btrfs" ? btrfs_disks(status.st_rdev, graph) : std::vector{status.st_rdev}};
  const bool is_of_kernel =
      mount->type == "zfs" || mount->type == "btrfs" || mount->type == "bcachefs" || mount->type == "aufs";
  return {is_of_kernel ? Backing::Kind::hidden : Backing::Kind::served, {}};
}

}  // namespace

bool Mount::is_of(dev_t block_device) const
{
  if (device == block_device)
    return true;
  // Some file systems have a device number of their own; their source tells.
  struct stat status;
  return source.starts_with("/dev/") && ::stat(source.c_str(), &status) == 0 && S_ISBLK(status.st_mode) &&
         status.st_rdev == block_device;
}

Mounts read_mounts()
{
  Mounts mounts;
  mounts.has_all_namespaces = read_table("/proc/self/mountinfo", 0, mounts.all);
  std::set<ino_t> seen{namespace_of("self")};
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator("/proc", ignored)) {
    const std::string process = entry.path().filename();
    if (!std::isdigit(static_cast<unsigned char>(process.front())))
      continue;
    const ino_t its = namespace_of(process);
    if (its == 0 && is_hidden(process))
      mounts.has_all_namespaces = false;
    if (its != 0 && !seen.contains(its) &&
        read_table(entry.path() / "mountinfo", static_cast<pid_t>(std::stol(process)), mounts.all))
      seen.insert(its);
  }
  return mounts;
}

std::vector<Medium> swap_spaces()
{
  const std::unique_ptr<libmnt_table, Unref> table(mnt_new_table());
  const std::unique_ptr<libmnt_iter, Unref> iterator(mnt_new_iter(MNT_ITER_FORWARD));
  std::vector<Medium> result;
  libmnt_fs* line = nullptr;
  if (!table || !iterator || mnt_table_parse_swaps(table.get(), nullptr) != 0)
    return result;
  while (mnt_table_next_fs(table.get(), iterator.get(), &line) == 0) {
    struct stat status;
    if (const char* path = mnt_fs_get_source(line); path && ::stat(path, &status) == 0)
      result.push_back(medium_of(status, path));
  }
  return result;
}

bool is_on_overlay(const Medium& file, const Mounts& mounts)
{
  // Not every file has the number of its mount: neither all of an overlay nor those of btrfs.
  const auto found = std::ranges::find(mounts.all, file.device, &Mount::device);
  struct statfs status;
  return found != mounts.all.end()
             ? found->type == "overlay"
             : ::statfs(file.path.c_str(), &status) == 0 && status.f_type == OVERLAYFS_SUPER_MAGIC;
}

const Mount* mount_of(const Medium& file, const Mounts& mounts)
{
  struct statx status {};
  if (file.path.empty() ||
      ::statx(AT_FDCWD, file.path.c_str(), AT_STATX_DONT_SYNC, STATX_INO | STATX_MNT_ID, &status) == -1 ||
      (status.stx_mask & STATX_MNT_ID) == 0 || makedev(status.stx_dev_major, status.stx_dev_minor) != file.device ||
      (file.inode != 0 && status.stx_ino != file.inode))
    return nullptr;
  const auto found = std::ranges::find_if(mounts.all, [&](const Mount& mount) {
    return mount.process == 0 && mount.id >= 0 && static_cast<std::uint64_t>(mount.id) == status.stx_mnt_id;
  });
  return found == mounts.all.end() ? nullptr : &*found;
}

Backing backing_of(const Medium& file, const Mounts& mounts, const BlockGraph& graph)
{
  return backing_of(file, mounts, graph, 0);
}

}  // namespace gptgrow
