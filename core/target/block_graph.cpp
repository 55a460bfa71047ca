// SPDX-License-Identifier: BSD-3-Clause
#include "core/target/block_graph.h"

#include "core/source/file_descriptor.h"
#include "core/target/sysfs.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <limits>

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace gptgrow {

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSysfsSectorBytes = 512;
constexpr std::uint64_t kEndless = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t kMaxParts = 4096;

std::uint64_t bytes_from(const fs::path& path, std::uint64_t unit)
{
  const std::uint64_t number = std::strtoull(line_of(path).c_str(), nullptr, 10);
  return number > kEndless / unit ? kEndless : number * unit;
}

std::optional<dev_t> number_in(const fs::path& folder)
{
  unsigned major_number = 0, minor_number = 0;
  if (std::sscanf(line_of(folder / "dev").c_str(), "%u:%u", &major_number, &minor_number) != 2)
    return std::nullopt;
  return makedev(major_number, minor_number);
}

struct BehindLoop {
  Medium medium;
  bool is_certain = true;
};

/// What a loop device is over: asked of the device, because a path may be gone, or mean something else here.
std::optional<BehindLoop> behind_loop(const fs::path& root, const fs::path& folder, const std::string& name)
{
  std::string path = line_of(folder / "loop/backing_file");
  if (path.empty())
    return std::nullopt;
  const FileDescriptor fd(::open((root / "dev" / name).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (loop_info64 info{}; fd.get() != -1 && ::ioctl(fd.get(), LOOP_GET_STATUS64, &info) == 0) {
    if (info.lo_rdevice != 0)
      return BehindLoop{{true, static_cast<dev_t>(info.lo_rdevice), 0}};
    return BehindLoop{{false, static_cast<dev_t>(info.lo_device), static_cast<ino_t>(info.lo_inode), path}};
  }
  // Of a device, the name is enough.
  const fs::path device = fs::path(path).filename();
  if (const auto number = path.starts_with("/dev/") ? number_in(root / "sys/class/block" / device) : std::nullopt)
    return BehindLoop{{true, *number, 0}};
  struct stat status;
  if (root == "/" && ::stat(path.c_str(), &status) == 0)
    return BehindLoop{S_ISBLK(status.st_mode) ? Medium{true, status.st_rdev, 0}
                                              : Medium{false, status.st_dev, status.st_ino, path},
                      false};
  return BehindLoop{{false, 0, 0, path}, false};
}

BlockDevice read_device(const fs::path& root, const fs::path& link, dev_t number)
{
  std::error_code ignored;
  const fs::path folder = fs::canonical(link, ignored);
  BlockDevice device;
  device.number = number;
  device.name = link.filename();
  std::ranges::replace(device.name, '!', '/');
  device.mapped_name = line_of(folder / "dm/name");
  device.mapped_uuid = line_of(folder / "dm/uuid");
  device.size_bytes = bytes_from(folder / "size", kSysfsSectorBytes);
  device.is_partition = fs::exists(folder / "partition", ignored);
  device.is_bcache_member = fs::exists(folder / "bcache", ignored) && !device.name.starts_with("bcache");
  if (const auto disk = device.is_partition ? number_in(folder.parent_path()) : std::nullopt)
    device.below = MediumPart{{true, *disk, 0}, {bytes_from(folder / "start", kSysfsSectorBytes), device.size_bytes}};
  if (const auto backing = behind_loop(root, folder, device.name)) {
    device.is_loop = true;
    device.is_below_certain = backing->is_certain;
    device.has_size_limit = bytes_from(folder / "loop/sizelimit", 1) != 0;
    device.below = MediumPart{backing->medium, {bytes_from(folder / "loop/offset", 1), device.size_bytes}};
  }
  for (const fs::directory_entry& slave : fs::directory_iterator(folder / "slaves", ignored))
    if (const auto below = number_in(slave.path()))
      device.slaves.push_back(*below);
  return device;
}

/// Where the bytes that both have are on `device`, which lies on `below`.
ByteRange seen_through(const MediumPart& below, const MediumPart& part)
{
  const std::uint64_t first = std::max(below.range.offset, part.range.offset);
  return {first - below.range.offset, std::min(below.range.end(), part.range.end()) - first};
}

bool is_known(const std::vector<MediumPart>& parts, const MediumPart& part)
{
  return std::ranges::any_of(parts, [&](const MediumPart& other) {
    return other.medium == part.medium && other.range.offset <= part.range.offset &&
           part.range.end() <= other.range.end();
  });
}

void add(std::vector<MediumPart>& parts, const MediumPart& part)
{
  if (part.range.size != 0 && !is_known(parts, part) && parts.size() < kMaxParts)
    parts.push_back(part);
}

}  // namespace

bool may_be_over(const BlockDevice& loop, std::uint64_t size)
{
  if (!loop.is_loop || loop.is_below_certain || !loop.below || size == 0)
    return false;
  const std::uint64_t end = loop.below->range.end();
  return loop.has_size_limit ? end <= size : end / kSysfsSectorBytes == size / kSysfsSectorBytes;
}

bool may_share(const BlockDevice& a, const BlockDevice& b)
{
  constexpr std::string_view kVolume = "LVM-";
  constexpr std::size_t kGroupUuidLength = 32;
  const auto group_of = [&](const std::string& uuid) {
    return uuid.starts_with(kVolume) ? uuid.substr(kVolume.size(), kGroupUuidLength) : "";
  };
  const auto disk_of = [](const std::string& uuid) {
    return uuid.starts_with("part") && uuid.find('-') != std::string::npos ? uuid.substr(uuid.find('-')) : "";
  };
  const std::string group = group_of(a.mapped_uuid), disk = disk_of(a.mapped_uuid);
  const bool is_one_maker =
      (!group.empty() && group == group_of(b.mapped_uuid)) || (!disk.empty() && disk == disk_of(b.mapped_uuid));
  const bool has_common =
      std::ranges::any_of(a.slaves, [&](dev_t slave) { return std::ranges::find(b.slaves, slave) != b.slaves.end(); });
  return has_common && !is_one_maker && a.number != b.number && !a.mapped_name.empty() && !b.mapped_name.empty();
}

bool overlap(const MediumPart& a, const MediumPart& b)
{
  // Volumes that are mapped from one disk do not share its bytes; who maps it twice by hand is asked, see may_share().
  return a.medium == b.medium && !(a.is_shared && b.is_shared) && a.range.offset < b.range.end() &&
         b.range.offset < a.range.end();
}

bool overlap(const std::vector<MediumPart>& a, const std::vector<MediumPart>& b)
{
  return std::ranges::any_of(a, [&](const MediumPart& x) {
    return std::ranges::any_of(b, [&](const MediumPart& y) { return overlap(x, y); });
  });
}

Medium medium_of(const struct stat& status, const std::string& path)
{
  return S_ISBLK(status.st_mode) ? Medium{true, status.st_rdev, 0} : Medium{false, status.st_dev, status.st_ino, path};
}

std::uint64_t size_of_file(const std::string& path)
{
  std::error_code error;
  const std::uint64_t size = fs::file_size(path, error);
  return error ? 0 : size;
}

const BlockDevice* BlockGraph::find(dev_t number) const
{
  const auto found = std::ranges::find(devices_, number, &BlockDevice::number);
  return found == devices_.end() ? nullptr : &*found;
}

MediumPart BlockGraph::whole(const Medium& medium) const
{
  const BlockDevice* device = medium.is_device ? find(medium.device) : nullptr;
  return {medium, {0, device && device->size_bytes != 0 ? device->size_bytes : kEndless}};
}

std::vector<MediumPart> BlockGraph::made_of(const MediumPart& part) const
{
  return lies_on(part, {});
}

std::vector<MediumPart> BlockGraph::lies_on(const MediumPart& part, const DisksBelow& disks_below) const
{
  std::vector<MediumPart> result{part};
  for (std::size_t i = 0; i < result.size(); ++i) {
    const MediumPart at = result[i];
    if (!at.medium.is_device && disks_below)
      for (const dev_t disk : disks_below(at.medium))
        add(result, whole({true, disk, 0}));
    const BlockDevice* device = at.medium.is_device ? find(at.medium.device) : nullptr;
    if (!device)
      continue;
    for (const dev_t slave : device->slaves) {
      MediumPart below = whole({true, slave, 0});
      below.is_shared = true;
      add(result, below);
    }
    if (!device->below)
      continue;
    MediumPart below = *device->below;
    const ByteRange inside = clip(at.range, device->size_bytes);
    below.range = {below.range.offset + inside.offset, inside.size};
    below.is_shared = at.is_shared;
    below.is_behind_loop = device->is_loop;
    add(result, below);
  }
  return result;
}

std::vector<MediumPart> BlockGraph::above(const std::vector<MediumPart>& parts, const DisksBelow& disks_below) const
{
  std::vector<MediumPart> all = parts;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const MediumPart at = all[i];
    for (const BlockDevice& device : devices_) {
      const Medium medium{true, device.number, 0};
      const bool is_own = std::ranges::any_of(parts, [&](const MediumPart& part) { return part.medium == medium; });
      if (is_own)
        continue;
      if (device.below && overlap(*device.below, at))
        add(all, {medium, seen_through(*device.below, at)});
      const bool is_slave = at.medium.is_device && !at.is_shared &&
                            std::ranges::find(device.slaves, at.medium.device) != device.slaves.end();
      const auto lies_in_file_system = [&] {
        if (!device.below || device.below->medium.is_device || !at.medium.is_device || at.is_shared || !disks_below)
          return false;
        const std::vector<dev_t> disks = disks_below(device.below->medium);
        return std::ranges::find(disks, at.medium.device) != disks.end();
      };
      if (is_slave || lies_in_file_system())
        add(all, whole(medium));
    }
  }
  return {all.begin() + static_cast<std::ptrdiff_t>(parts.size()), all.end()};
}

std::vector<BlockDevice> read_block_devices(const fs::path& root)
{
  std::vector<BlockDevice> devices;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(root / "sys/class/block", ignored))
    if (const auto number = number_in(entry.path()))
      devices.push_back(read_device(root, entry.path(), *number));
  std::ranges::sort(devices, {}, &BlockDevice::number);
  return devices;
}

}  // namespace gptgrow
