// SPDX-License-Identifier: BSD-3-Clause
#include "core/target/kernel_partitions.h"

#include "core/error.h"
#include "core/target/medium.h"
#include "core/target/mounts.h"
#include "core/target/sysfs.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include <linux/blkpg.h>
#include <sys/ioctl.h>

namespace gptgrow {

std::vector<KernelPartition> kernel_partitions(const FileSource& disk)
{
  std::vector<KernelPartition> result;
  const auto status = status_of(disk);
  if (!disk.is_block_device() || !status)
    return result;
  for (const BlockDevice& device : read_block_devices())
    if (device.is_partition_of(medium_of(*status)))
      result.push_back({static_cast<std::uint32_t>(
                            std::strtoul(line_of(sysfs_folder(device.number) / "partition").c_str(), nullptr, 10)),
                        device.number, device.path(), device.below->range});
  return result;
}

std::string mount_point_of(const KernelPartition& partition)
{
  for (const Mount& mount : read_mounts().all)
    if (mount.process == 0 && mount.is_of(partition.device))
      return mount.where;
  return "";
}

bool is_part_of_device(const KernelPartition& partition)
{
  std::error_code error;
  return !std::filesystem::is_empty(sysfs_folder(partition.device) / "holders", error) && !error;
}

std::optional<std::string> resize_in_kernel(const FileSource& disk, std::uint32_t number, ByteRange range)
{
  if (!disk.is_block_device())
    return std::nullopt;
  blkpg_partition partition{};
  partition.pno = static_cast<int>(number);
  partition.start = static_cast<long long>(range.offset);
  partition.length = static_cast<long long>(range.size);
  blkpg_ioctl_arg argument{BLKPG_RESIZE_PARTITION, 0, sizeof(partition), &partition};
  if (::ioctl(disk.fd(), BLKPG, &argument) == 0)
    return std::nullopt;
  const int error = errno;
  if (error == ENXIO)
    return message("{}: the kernel has no partition {} of it", disk.name(), number);
  return message("{}: the kernel did not take the new size of partition {} ({}); it uses the old one until the disk is "
                 "read anew (partx -u, or the next boot)",
                 disk.name(), number, std::generic_category().message(error));
}

}  // namespace gptgrow
