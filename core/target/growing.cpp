// SPDX-License-Identifier: BSD-3-Clause
#include "core/target/growing.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace gptgrow {

namespace {

struct Known {
  const char* type;
  const char* command;  // {0}: the device, {1}: the mount point
  const char* remark;
};

constexpr const char kFat[] =
    "the length of its allocation table is fixed when it is made; copy the files to a new one";
constexpr const char kMdMember[] = "linux_raid_member";
constexpr const char kReadOnly[] = "it is read-only, and as long as what is in it";

constexpr Known kKnown[] = {
    {"ext2", "resize2fs {0}", "while it is not mounted"},
    {"ext3", "resize2fs {0}", "mounted or not"},
    {"ext4", "resize2fs {0}", "mounted or not"},
    {"xfs", "xfs_growfs {1}", "while it is mounted"},
    {"btrfs", "btrfs filesystem resize max {1}", "while it is mounted"},
    {"f2fs", "resize.f2fs {0}", "while it is not mounted"},
    {"ntfs", "ntfsresize {0}", "while it is not mounted"},
    {"bcachefs", "bcachefs device resize {0}", "mounted or not"},
    {"VMFS", "vmkfstools --growfs DEVICE:SLOT DEVICE:SLOT", "on the ESXi host, with the names of /vmfs/devices/disks"},
    {"VMFS_volume_member", "vmkfstools --growfs DEVICE:SLOT DEVICE:SLOT",
     "on the ESXi host, with the names of /vmfs/devices/disks"},
    {"LVM2_member", "pvresize {0}", "then lvextend, and the file system of the volume"},
    {"crypto_LUKS", "cryptsetup resize NAME",
     "while it is open as NAME, or when it is opened next; then what is in it"},
    {kMdMember, "mdadm --grow ARRAY --size=max", "when all members are longer; then what is in it"},
    {"zfs_member", "zpool online -e POOL {0}", "while the pool is imported"},
    {"swap", "swapoff {0} && mkswap {0} && swapon {0}", "mkswap gives it a new UUID, unless told the old one by -U"},
    {"vfat", "", kFat},
    {"exfat", "", kFat},
    {"iso9660", "", kReadOnly},
    {"squashfs", "", kReadOnly},
    {"erofs", "", kReadOnly},
};

// What is known by its end, as metadata 0.90 and 1.0 of md is.
constexpr Known kKnownFromEnd[] = {
    {kMdMember, "mdadm --grow ARRAY --size=max",
     "at once, while the array runs, without its bitmap, which --bitmap=none takes away; or make it anew with 1.2"},
    {"drbd", "drbdadm resize RESOURCE", "at once, while it is up on both sides"},
};

constexpr const char kHides[] =
    "its superblock is at the end of the partition, and is not found any more once that is longer";

Growing growing_from_end(const std::string& type)
{
  const auto known = std::ranges::find(kKnownFromEnd, type, &Known::type);
  if (known == std::end(kKnownFromEnd))
    return {"", kHides, true};
  return {known->command, fmt::format("{}: {}", known->remark, kHides), true};
}

}  // namespace

Growing growing(const std::string& type, const std::string& device, const std::string& mount_point,
                bool is_found_from_end)
{
  const auto known = std::ranges::find(kKnown, type, &Known::type);
  const bool is_known = known != std::end(kKnown);
  if (is_found_from_end && (!is_known || type == kMdMember))
    return growing_from_end(type);
  if (!is_known)
    return {"", type.empty() ? "nothing in it is recognized" : "no command is known"};
  return {fmt::format(fmt::runtime(known->command), device.empty() ? "DEVICE" : device,
                      mount_point.empty() ? "MOUNTPOINT" : mount_point),
          known->remark};
}

}  // namespace gptgrow
