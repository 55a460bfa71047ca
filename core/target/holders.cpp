// SPDX-License-Identifier: BSD-3-Clause
#include "core/target/holders.h"

#include "core/error.h"
#include "core/target/mounts.h"
#include "core/target/open_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <thread>

#include <fcntl.h>
#include <sys/stat.h>

namespace gptgrow {

namespace {

namespace fs = std::filesystem;

/// udev, blkid and losetup open a device for no longer than that.
constexpr auto kMoment = std::chrono::seconds(1);

/// What find_holders() knows, and how it asks.
class Search {
public:
  Search(const std::string& path, const struct stat& status)
      : path_(path),
        target_(medium_of(status, path)),
        graph_(read_block_devices()),
        mounts_(read_mounts()),
        parts_(graph_.made_of(graph_.whole(target_))),
        above_(graph_.above(parts_, [this](const Medium& file) { return backing_of(file, mounts_, graph_).disks; }))
  {
  }

  Holding run()
  {
    if (graph_.devices().empty())
      result_.unseen.push_back("/sys shows no block devices: whether loop devices or others lie on it cannot be seen");
    look_for_mounts_and_swap();
    look_for_devices_above();
    look_for_locks();
    look_for_open_files();
    claim_what_is_below();
    look_for_what_may_be_over();
    std::ranges::sort(result_.unseen);
    result_.unseen.erase(std::unique(result_.unseen.begin(), result_.unseen.end()), result_.unseen.end());
    return std::move(result_);
  }

private:
  void add(Holder::Kind kind, const std::string& what, const std::string& by)
  {
    const bool is_known = std::ranges::any_of(result_.holders, [&](const Holder& other) {
      return other.kind == kind && other.what == what && other.by == by;
    });
    if (!is_known)
      result_.holders.push_back({kind, what, by});
  }

  std::string name_of(const Medium& medium) const
  {
    if (medium == target_)
      return path_;
    const BlockDevice* device = medium.is_device ? graph_.find(medium.device) : nullptr;
    return device ? device->path() : medium.path;
  }

  template <typename Use>
  void for_each_device(Use use)
  {
    for (const auto* parts : {&parts_, &above_})
      for (const Part& part : *parts)
        if (const BlockDevice* device = part.medium.is_device ? graph_.find(part.medium.device) : nullptr)
          use(*device, part);
  }

  /// Whether `medium` has bytes of the target, or they lie on it.
  bool is_wanted(const Medium& medium) const
  {
    const auto is_it = [&](const Part& part) { return part.medium == medium; };
    return std::ranges::any_of(parts_, is_it) || std::ranges::any_of(above_, is_it);
  }

  void look_for_mounts_and_swap();
  void look_for_hidden_file_system(const BlockDevice& device);
  void look_for_devices_above();
  void look_for_locks();
  void look_for_open_files();
  void claim_what_is_below();
  void look_for_what_may_be_over();
  bool may_be_one_file(const Medium& a, const Medium& b) const;
  std::uint64_t size_of(const Medium& medium) const;
  bool is_disk_of_another(const Medium& medium) const;

  const std::string& path_;
  const Medium target_;
  const BlockGraph graph_;
  const Mounts mounts_;
  const std::vector<Part> parts_;
  const std::vector<Part> above_;
  Holding result_;
};

void Search::look_for_mounts_and_swap()
{
  const std::vector<Medium> swaps = swap_spaces();
  for (const auto* parts : {&parts_, &above_})
    for (const Part& part : *parts)
      if (std::ranges::find(swaps, part.medium) != swaps.end())
        add(Holder::Kind::swap, name_of(part.medium), "");
  // Some file systems are mounted from a file, without a loop device.
  for (const Part& part : parts_)
    for (const Mount& mount : mounts_.all) {
      struct stat status;
      if (!part.medium.is_device && mount.source.starts_with('/') && ::stat(mount.source.c_str(), &status) == 0 &&
          medium_of(status, mount.source) == part.medium)
        add(Holder::Kind::mount, name_of(part.medium), mount.where);
    }
  for_each_device([&](const BlockDevice& device, const Part&) {
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
void Search::look_for_hidden_file_system(const BlockDevice& device)
{
  std::error_code ignored;
  for (const char* type : {"ext4", "xfs", "f2fs"})
    if (fs::exists(fmt::format("/sys/fs/{}/{}", type, device.name), ignored))
      add(Holder::Kind::file_system, device.path(), type);
  for (const fs::directory_entry& entry : fs::directory_iterator("/sys/fs/btrfs", ignored))
    if (fs::exists(entry.path() / "devices" / device.name, ignored))
      add(Holder::Kind::file_system, device.path(), "btrfs");
}

void Search::look_for_devices_above()
{
  for_each_device([&](const BlockDevice& device, const Part& part) {
    if (device.is_bcache_member && !part.is_shared)
      add(Holder::Kind::member, name_of(part.medium), "a bcache");
  });
  for (const Part& part : above_) {
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

void Search::look_for_locks()
{
  const auto locks = read_locks();
  if (!locks) {
    result_.unseen.push_back("/proc/locks cannot be read: whether another program has locked it cannot be seen");
    return;
  }
  for (const Lock& lock : *locks)
    for (const Part& part : parts_)
      if (may_be_one_file(part.medium, {false, lock.file_system, lock.inode}))
        result_.unseen.push_back(
            message("{} may be a file that {} has locked, as an overlay shows it: that cannot be seen",
                    name_of(part.medium), lock.process.empty() ? "another program" : lock.process));
  for (const auto* parts : {&parts_, &above_})
    for (const Part& part : *parts) {
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
void Search::look_for_open_files()
{
  const auto seen_otherwise = [&](const Medium& medium) {
    return std::ranges::find_if(parts_, [&](const Part& part) { return may_be_one_file(part.medium, medium); });
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
    const auto part = std::ranges::find(parts_, file.medium, &Part::medium);
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
bool Search::may_be_one_file(const Medium& a, const Medium& b) const
{
  if (a.is_device || b.is_device || a.device == b.device)
    return false;
  if (is_on_overlay(a, mounts_) == is_on_overlay(b, mounts_))
    return false;
  const std::uint64_t size = size_of(a);
  return (a.inode != 0 && a.inode == b.inode) || (size != 0 && size == size_of(b));
}

std::uint64_t Search::size_of(const Medium& medium) const
{
  return medium.is_device ? graph_.whole(medium).range.size : size_of_file(medium.path);
}

/// Devices that lie on it or beside it, though nothing here says on which bytes.
void Search::look_for_what_may_be_over()
{
  for (const BlockDevice& device : graph_.devices()) {
    if (is_wanted({true, device.number, 0}))
      continue;
    if (device.is_loop && device.below)
      for (const auto* parts : {&parts_, &above_})
        for (const Part& part : *parts)
          if (may_be_over(device, size_of(part.medium)) || may_be_one_file(device.below->medium, part.medium))
            result_.unseen.push_back(message("{} may be in use by {}: what that is over cannot be seen from here",
                                             name_of(part.medium), device.path()));
    for (const Part& part : parts_)
      if (const BlockDevice* own = part.medium.is_device ? graph_.find(part.medium.device) : nullptr;
          own && may_share(*own, device))
        result_.unseen.push_back(
            message("{} and {} are mapped from the same disk: whether they have bytes in common cannot be seen",
                    name_of(part.medium), device.path()));
  }
}

/// Whether others may hold other bytes of it.
bool Search::is_disk_of_another(const Medium& medium) const
{
  return std::ranges::any_of(graph_.devices(), [&](const BlockDevice& device) {
    return device.is_partition && device.below && device.below->medium == medium &&
           std::ranges::any_of(
               parts_, [&](const Part& part) { return part.medium.is_device && part.medium.device == device.number; });
  });
}

/// A device below a loop device is nobody's, as the kernel sees it: it can be had, unless somebody holds it.
void Search::claim_what_is_below()
{
  for_each_device([&](const BlockDevice& device, const Part& part) {
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

}  // namespace

std::string to_string(const Holder& holder)
{
  switch (holder.kind) {
  case Holder::Kind::mount: return message("{} is mounted on {}", holder.what, holder.by);
  case Holder::Kind::file_system:
    return message("{} holds a file system ({}) that is in use, mounted where it cannot be seen", holder.what,
                   holder.by);
  case Holder::Kind::swap: return holder.what + " is swap space";
  case Holder::Kind::member: return message("{} is a part of {}", holder.what, holder.by);
  case Holder::Kind::loop: return message("{} is in use by {}", holder.what, holder.by);
  case Holder::Kind::lock:
    return message("{} is locked by {}", holder.what, holder.by.empty() ? "another program" : holder.by);
  case Holder::Kind::exclusive: break;
  }
  return holder.what + " is in use by another program";
}

Holding find_holders(const std::string& path, const struct stat& status)
{
  const auto deadline = std::chrono::steady_clock::now() + kMoment;
  Holding holding = Search(path, status).run();
  while (holding.may_pass && std::chrono::steady_clock::now() < deadline) {
    holding.claims.clear();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    holding = Search(path, status).run();
  }
  return holding;
}

}  // namespace gptgrow
