// SPDX-License-Identifier: BSD-3-Clause
#include "core/target/holder_search.h"

#include "core/error.h"
#include "core/target/open_files.h"

#include <fmt/format.h>

#include <cerrno>
#include <filesystem>

#include <fcntl.h>
#include <sys/stat.h>

namespace gptgrow {

namespace fs = std::filesystem;

void HolderSearch::look_for_mounts_and_swap()
{
  const std::vector<Medium> swaps = swap_spaces();
  for (const auto* parts : {&parts_, &above_})
    for (const MediumPart& part : *parts)
      if (std::ranges::find(swaps, part.medium) != swaps.end())
        add(Holder::Kind::swap, name_of(part.medium), "");
  // Some file systems are mounted from a file, without a loop device.
  for (const MediumPart& part : parts_)
    for (const Mount& mount : mounts_.all) {
      struct stat status;
      if (!part.medium.is_device && mount.source.starts_with('/') && ::stat(mount.source.c_str(), &status) == 0 &&
          medium_of(status, mount.source) == part.medium)
        add(Holder::Kind::mount, name_of(part.medium), mount.where);
    }
  for_each_device([&](const BlockDevice& device, const MediumPart&) {
    bool is_mounted = false;
    for (const Mount& mount : mounts_.all) {
      if (!mount.is_of(device.number))
        continue;
      is_mounted = true;
      add(Holder::Kind::mount, name_of({true, device.number, 0}),
          mount.process == 0 ? mount.where
                             : fmt::format("{} in the mount namespace of process {}", mount.where, mount.process));
    }
    if (!is_mounted)
      look_for_hidden_file_system(device);
  });
}

/// The kernel lists these in sysfs, wherever they are mounted, and as long as anything in them is open.
void HolderSearch::look_for_hidden_file_system(const BlockDevice& device)
{
  std::error_code ignored;
  for (const char* type : {"ext4", "xfs", "f2fs"})
    if (fs::exists(fmt::format("/sys/fs/{}/{}", type, device.name), ignored))
      add(Holder::Kind::file_system, device.path(), type);
  for (const fs::directory_entry& entry : fs::directory_iterator("/sys/fs/btrfs", ignored))
    if (fs::exists(entry.path() / "devices" / device.name, ignored))
      add(Holder::Kind::file_system, device.path(), "btrfs");
}

void HolderSearch::look_for_devices_above()
{
  for_each_device([&](const BlockDevice& device, const MediumPart& part) {
    if (device.is_bcache_member && !part.is_shared)
      add(Holder::Kind::member, name_of(part.medium), "a bcache");
  });
  for (const MediumPart& part : above_) {
    const BlockDevice* device = graph_.find(part.medium.device);
    if (!device)
      continue;
    if (device->is_loop)
      add(Holder::Kind::loop, name_of(device->below->medium), device->path());
    for (const dev_t slave : device->slaves) {
      const Medium below{true, slave, 0};
      if (is_wanted(below))
        add(Holder::Kind::member, name_of(below), device->path());
    }
  }
}

void HolderSearch::look_for_locks()
{
  const auto locks = read_locks();
  if (!locks) {
    result_.unseen.push_back("/proc/locks cannot be read: whether another program has locked it cannot be seen");
    return;
  }
  for (const Lock& lock : *locks)
    for (const MediumPart& part : parts_)
      if (may_be_one_file(part.medium, {false, lock.file_system, lock.inode}))
        result_.unseen.push_back(
            message("{} may be a file that {} has locked, as an overlay shows it: that cannot be seen",
                    name_of(part.medium), lock.process.empty() ? "another program" : lock.process));
  for (const auto* parts : {&parts_, &above_})
    for (const MediumPart& part : *parts) {
      struct stat node {};
      if (part.medium == target_ ||
          (part.medium.is_device ? ::stat(name_of(part.medium).c_str(), &node) == -1 : part.medium.path.empty()))
        continue;
      const dev_t file_system = part.medium.is_device ? node.st_dev : part.medium.device;
      const ino_t inode = part.medium.is_device ? node.st_ino : part.medium.inode;
      for (const Lock& lock : *locks)
        if (lock.file_system == file_system && lock.inode == inode)
          add(Holder::Kind::lock, name_of(part.medium), lock.process);
    }
}

/// Locks on other nodes of a device, and in file systems whose numbers /proc/locks does not give; writers without a lock.
void HolderSearch::look_for_open_files()
{
  const auto seen_otherwise = [&](const Medium& medium) {
    return std::ranges::find_if(parts_, [&](const MediumPart& part) { return may_be_one_file(part.medium, medium); });
  };
  const auto may_matter = [&](const Medium& medium) {
    return is_wanted(medium) || seen_otherwise(medium) != parts_.end();
  };
  for (const OpenFile& file : find_open_files(may_matter).all) {
    if (!is_wanted(file.medium)) {
      if (file.can_write || file.is_locked)
        result_.unseen.push_back(
            message("{} may be a file that {} has open, as an overlay shows it: that cannot be seen",
                    name_of(seen_otherwise(file.medium)->medium), file.process));
      continue;
    }
    const auto part = std::ranges::find(parts_, file.medium, &MediumPart::medium);
    const std::string name = name_of(part == parts_.end() ? file.medium : part->medium);
    const bool is_named = std::ranges::any_of(result_.holders, [&](const Holder& holder) {
      return holder.kind == Holder::Kind::lock && holder.what == name && holder.by == file.process;
    });
    if (is_named)
      continue;
    if (file.is_locked) {
      std::erase_if(result_.holders, [&](const Holder& holder) {
        return holder.kind == Holder::Kind::lock && holder.what == name && holder.by.empty();
      });
      add(Holder::Kind::lock, name, file.process);
    } else if (file.can_write && (part == parts_.end() || !part->is_shared)) {
      result_.may_pass = result_.may_pass || file.medium.is_device;
      result_.unseen.push_back(
          message("{} is open for writing in {}: what that does with it cannot be seen", name, file.process));
    }
  }
}

/// An overlay shows a file that is in one of its folders as another one: with the same inode number, or with that of the file
/// that it was copied from, or with one of its own. What both have is the size.
bool HolderSearch::may_be_one_file(const Medium& a, const Medium& b) const
{
  if (a.is_device || b.is_device || a.device == b.device)
    return false;
  if (is_on_overlay(a, mounts_) == is_on_overlay(b, mounts_))
    return false;
  const std::uint64_t size = size_of(a);
  return (a.inode != 0 && a.inode == b.inode) || (size != 0 && size == size_of(b));
}

std::uint64_t HolderSearch::size_of(const Medium& medium) const
{
  return medium.is_device ? graph_.whole(medium).range.size : size_of_file(medium.path);
}

/// Devices that lie on it or beside it, though nothing here says on which bytes.
void HolderSearch::look_for_what_may_be_over()
{
  for (const BlockDevice& device : graph_.devices()) {
    if (is_wanted({true, device.number, 0}))
      continue;
    if (device.is_loop && device.below)
      for (const auto* parts : {&parts_, &above_})
        for (const MediumPart& part : *parts)
          if (may_be_over(device, size_of(part.medium)) || may_be_one_file(device.below->medium, part.medium))
            result_.unseen.push_back(message("{} may be in use by {}: what that is over cannot be seen from here",
                                             name_of(part.medium), device.path()));
    for (const MediumPart& part : parts_)
      if (const BlockDevice* own = part.medium.is_device ? graph_.find(part.medium.device) : nullptr;
          own && may_share(*own, device))
        result_.unseen.push_back(
            message("{} and {} are mapped from the same disk: whether they have bytes in common cannot be seen",
                    name_of(part.medium), device.path()));
  }
}

/// Whether others may hold other bytes of it.
bool HolderSearch::is_disk_of_another(const Medium& medium) const
{
  return std::ranges::any_of(graph_.devices(), [&](const BlockDevice& device) {
    return device.is_partition && device.below && device.below->medium == medium &&
           std::ranges::any_of(parts_, [&](const MediumPart& part) {
             return part.medium.is_device && part.medium.device == device.number;
           });
  });
}

/// A device below a loop device is nobody's, as the kernel sees it: it can be had, unless somebody holds it.
void HolderSearch::claim_what_is_below()
{
  for_each_device([&](const BlockDevice& device, const MediumPart& part) {
    const bool is_whole = part.range == graph_.whole(part.medium).range;
    if (part.medium == target_ || !part.is_behind_loop || part.is_shared || !is_whole ||
        is_disk_of_another(part.medium))
      return;
    FileDescriptor fd(::open(device.path().c_str(), O_RDONLY | O_NONBLOCK | O_EXCL | O_CLOEXEC));
    if (fd.get() != -1)
      result_.claims.push_back(std::move(fd));
    else if (errno == EBUSY && result_.holders.empty())
      add(Holder::Kind::exclusive, device.path(), "");
    else if (errno != EBUSY && !mounts_.has_all_namespaces)
      result_.unseen.push_back(message(
          "{} cannot be opened: whether it is mounted in another mount namespace cannot be seen", device.path()));
  });
}

}  // namespace gptgrow
