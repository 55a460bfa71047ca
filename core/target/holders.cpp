// SPDX-License-Identifier: BSD-3-Clause
#include "core/target/holders.h"

#include "core/error.h"
#include "core/target/mounts.h"
#include "core/target/open_files.h"

#include <fmt/format.h>
#include <libmount.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <memory>
#include <system_error>
#include <thread>

#include <fcntl.h>
#include <sys/stat.h>

namespace gptgrow {

namespace {

namespace fs = std::filesystem;

/// udev, blkid and losetup open a device for no longer than that.
constexpr auto kMoment = std::chrono::seconds(1);

Medium medium_of(const struct stat& status, const std::string& path)
{
  return S_ISBLK(status.st_mode) ? Medium{true, status.st_rdev, 0} : Medium{false, status.st_dev, status.st_ino, path};
}

/// 0 where it cannot be seen.
std::uint64_t size_of_file(const std::string& path)
{
  std::error_code error;
  const std::uint64_t size = fs::file_size(path, error);
  return error ? 0 : size;
}

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

struct Unref {
  void operator()(libmnt_table* table) const { mnt_unref_table(table); }
  void operator()(libmnt_iter* iterator) const { mnt_free_iter(iterator); }
};

/// Devices and files.
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

bool is_served_device(const Medium& medium, const BlockGraph& graph)
{
  const BlockDevice* device = medium.is_device ? graph.find(medium.device) : nullptr;
  return device && (device->name.starts_with("nbd") || device->name.starts_with("ublkb"));
}

/// Whether what `parts` end in is served by a program, so that nobody can tell what it reads and writes.
bool is_served(const std::vector<Part>& parts, const BlockGraph& graph, const Mounts& mounts)
{
  return std::ranges::any_of(parts, [&](const Part& part) {
    return part.medium.is_device ? is_served_device(part.medium, graph)
                                 : backing_of(part.medium, mounts, graph).kind == Backing::Kind::served;
  });
}

struct stat status_of(int fd)
{
  struct stat status;
  if (::fstat(fd, &status) == -1)
    throw std::system_error(errno, std::generic_category(), "fstat");
  return status;
}

/// One file under two names has one size and one time, whatever file system hands it on.
bool could_be_one_file(const struct stat& a, const struct stat& b)
{
  return S_ISREG(a.st_mode) && S_ISREG(b.st_mode) && a.st_size == b.st_size && a.st_size != 0 &&
         a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

/// Whether an overlay may show one file as both. Its size alone is the same then.
bool may_be_one_through_overlay(const Medium& a, const Medium& b, const Mounts& mounts)
{
  if (a.is_device || b.is_device || !(is_on_overlay(a, mounts) || is_on_overlay(b, mounts)))
    return false;
  const Mount *of_a = mount_of(a, mounts), *of_b = mount_of(b, mounts);
  const bool is_one_mount = of_a && of_b && of_a->device == of_b->device;
  const std::uint64_t size = size_of_file(a.path);
  return !is_one_mount && size != 0 && size == size_of_file(b.path);
}

/// Programs that have bytes of `parts` open, of which something on the other side may be made.
void look_for_servers(const std::string& served, const std::string& path, const std::vector<Part>& parts,
                      bool only_writers, std::vector<std::string>& unseen)
{
  const OpenFiles files = find_open_files([&](const Medium& medium) {
    return std::ranges::any_of(parts, [&](const Part& part) { return part.medium == medium; });
  });
  const auto found =
      std::ranges::find_if(files.all, [&](const OpenFile& file) { return !only_writers || file.can_write; });
  if (found != files.all.end())
    unseen.push_back(
        message("{} is served by a program, and {} has {} open: whether they are the same bytes cannot be seen", served,
                found->process, path));
  else if (!files.has_all_processes)
    unseen.push_back(message("{} is served by a program: whether that makes it of {} cannot be seen", served, path));
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

Relation relation_of(const Image& image, const std::string& target)
{
  const BlockGraph graph(read_block_devices());
  const Mounts mounts = read_mounts();
  const struct stat image_status = status_of(image.fd());
  struct stat target_status;
  std::string path = target;
  const bool target_exists = ::stat(target.c_str(), &target_status) == 0;
  if (!target_exists) {
    path = fs::absolute(target).parent_path();
    if (::stat(path.c_str(), &target_status) == -1)
      return {};
    target_status.st_ino = 0;  // no file's
  }
  const auto parts_of = [&](const struct stat& status, const std::string& name) {
    return graph.made_of(graph.whole(medium_of(status, name)));
  };
  const std::vector<Part> image_parts = parts_of(image_status, fmt::format("/proc/self/fd/{}", image.fd()));
  const std::vector<Part> target_parts = parts_of(target_status, path);
  if (overlap(image_parts, target_parts))
    return {Relation::Kind::same, {}};
  const DisksBelow disks_below = [&](const Medium& file) { return backing_of(file, mounts, graph).disks; };
  if (overlap(graph.lies_on(image_parts.front(), disks_below), target_parts))
    return {Relation::Kind::image_on_target, {}};
  if (overlap(graph.lies_on(target_parts.front(), disks_below), image_parts))
    return {Relation::Kind::target_on_image, {}};

  Relation relation;
  const bool image_is_served = is_served(graph.lies_on(image_parts.front(), disks_below), graph, mounts);
  const bool target_is_served = is_served(target_parts, graph, mounts);
  if ((image_is_served || target_is_served) && could_be_one_file(image_status, target_status))
    relation.unseen.push_back(
        message("{} and {} have one size and time, and a file system may show one file as two: whether "
                "they are the same file cannot be seen",
                target, image.path()));
  if (target_exists && may_be_one_through_overlay(image_parts.back().medium, target_parts.back().medium, mounts))
    relation.unseen.push_back(
        message("{} and {} have one size, and an overlay may show one file as two: whether they are the same file "
                "cannot be seen",
                target, image.path()));
  for (const Part& part : target_parts)
    if (const BlockDevice* device = part.medium.is_device ? graph.find(part.medium.device) : nullptr;
        device && may_be_over(*device, static_cast<std::uint64_t>(image_status.st_size)))
      relation.unseen.push_back(
          message("what {} is over cannot be seen from here: it may be {}", device->path(), image.path()));
  if (!target_exists)
    return relation;
  if (image_is_served)
    look_for_servers(image.path(), target, target_parts, false, relation.unseen);
  if (target_is_served)
    look_for_servers(target, image.path(), image_parts, true, relation.unseen);
  return relation;
}

}  // namespace gptgrow
