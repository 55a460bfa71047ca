// SPDX-License-Identifier: BSD-3-Clause
#include "core/target/mounts.h"

#include "core/source/file_descriptor.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <fstream>
#include <optional>
#include <set>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

namespace gptgrow {

namespace {

namespace fs = std::filesystem;

constexpr int kMaxOverlays = 16;  // one above the other

/// Whether the file could be read to its end.
bool read_table(const fs::path& path, pid_t process, Mounts& mounts)
{
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    std::optional<Mount> mount = parse_mount(line);
    if (!mount) {
      mounts.has_all_namespaces = false;
      continue;
    }
    if (process != 0)
      mount->id = -1;
    mount->process = process;
    mounts.all.push_back(std::move(*mount));
  }
  return file.eof();
}

/// statx tells it only since Linux 5.8.
std::optional<int> mount_id(int fd)
{
  std::ifstream file(fmt::format("/proc/self/fdinfo/{}", fd));
  for (std::string key; file >> key;) {
    int id = 0;
    if (key == "mnt_id:" && file >> id)
      return id;
  }
  return std::nullopt;
}

ino_t namespace_of(const fs::path& process)
{
  struct stat status;
  return ::stat((process / "ns/mnt").c_str(), &status) == 0 ? status.st_ino : 0;
}

/// A program that ends meanwhile holds no mount; one that must not be looked at may.
bool is_hidden(const fs::path& process)
{
  return ::access((process / "ns/mnt").c_str(), F_OK) == -1 && errno == EACCES;
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

Backing backing_of(const Medium& file, const Mounts& mounts, const BlockGraph& graph, int depth);

Backing overlay_backing(const Mount& mount, const Mounts& mounts, const BlockGraph& graph, int depth)
{
  const std::vector<std::string> folders = overlay_folders(mount.options);
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

Mounts read_mounts(const fs::path& proc)
{
  Mounts mounts;
  mounts.has_all_namespaces = read_table(proc / "self/mountinfo", 0, mounts) && mounts.has_all_namespaces;
  std::set<ino_t> seen{namespace_of(proc / "self")};
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(proc, ignored)) {
    const std::string process = entry.path().filename();
    if (!std::isdigit(static_cast<unsigned char>(process.front())))
      continue;
    const ino_t its = namespace_of(entry.path());
    if (its == 0 && is_hidden(entry.path()))
      mounts.has_all_namespaces = false;
    if (its != 0 && !seen.contains(its) &&
        read_table(entry.path() / "mountinfo", static_cast<pid_t>(std::stol(process)), mounts))
      seen.insert(its);
  }
  return mounts;
}

std::vector<Medium> swap_spaces(const fs::path& table)
{
  std::ifstream file(table);
  std::string line;
  std::getline(file, line);  // the names of the columns
  std::vector<Medium> result;
  while (std::getline(file, line)) {
    const std::string path = unescape_field(line.substr(0, line.find_first_of(" \t")));
    struct stat status;
    if (::stat(path.c_str(), &status) == 0)
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
  const FileDescriptor reached(file.path.empty() ? -1 : ::open(file.path.c_str(), O_PATH | O_CLOEXEC));
  struct stat status;
  if (reached.get() == -1 || ::fstat(reached.get(), &status) == -1 || status.st_dev != file.device ||
      (file.inode != 0 && status.st_ino != file.inode))
    return nullptr;
  const std::optional<int> id = mount_id(reached.get());
  const auto found =
      std::ranges::find_if(mounts.all, [&](const Mount& mount) { return mount.process == 0 && id && mount.id == *id; });
  return found == mounts.all.end() ? nullptr : &*found;
}

Backing backing_of(const Medium& file, const Mounts& mounts, const BlockGraph& graph)
{
  return backing_of(file, mounts, graph, 0);
}

}  // namespace gptgrow
