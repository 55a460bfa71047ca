// SPDX-License-Identifier: BSD-3-Clause
#include "core/restore/candidates.h"

#include "core/source/file_source.h"
#include "core/target/block_graph.h"
#include "core/target/holders.h"
#include "core/target/medium.h"
#include "core/target/relation.h"
#include "core/target/sysfs.h"

#include <fmt/format.h>

#include <algorithm>

#include <sys/stat.h>

namespace gptgrow {

namespace {

/// Where a disk is plugged in, as the folders of sysfs that lead to it say.
std::string transport_of(const std::string& folder)
{
  for (const auto& [part, name] : {std::pair{"/usb", "usb"},
                                   {"/nvme", "nvme"},
                                   {"/ata", "sata"},
                                   {"/mmc", "mmc"},
                                   {"/virtio", "virtio"},
                                   {"/nbd", "nbd"},
                                   {"/host", "scsi"}})
    if (folder.find(part) != std::string::npos)
      return name;
  return "";
}

/// Not what others make of disks, nor what has no medium, or only memory.
bool is_disk(const BlockDevice& device)
{
  const auto begins = [&](std::string_view prefix) { return device.name.starts_with(prefix); };
  return !device.is_partition && device.slaves.empty() && device.size_bytes != 0 && !begins("ram") && !begins("zram") &&
         !begins("sr") && !begins("dm-") && !begins("md") && !begins("bcache");
}

std::string why_not(const std::shared_ptr<const Source>& image, const Reading& reading, const FileSource& disk,
                    dev_t number)
{
  struct stat status;
  if (::stat(disk.name().c_str(), &status) == -1)
    return std::system_category().message(errno);
  if (line_of(sysfs_folder(number) / "ro") == "1")
    return "is write-protected";
  if (const Holding holding = find_holders(disk.name(), status); !holding.holders.empty())
    return to_string(holding.holders.front());
  switch (relation_of(*image, disk.name()).kind) {
  case Relation::Kind::none: break;
  case Relation::Kind::same:
  case Relation::Kind::image_on_target: return "holds the image";
  case Relation::Kind::target_on_image: return "lies on the image";
  }
  const std::uint32_t expected = Disk(image, size_of(disk), reading).table().sector_size_bytes;
  if (const std::uint32_t found = disk.device_sector_size_bytes(); found != expected && !reading.sector_size_bytes)
    return fmt::format("has sectors of {} bytes, and the table of the image is for {}", found, expected);
  return "";
}

}  // namespace

std::vector<Candidate> candidates(const std::shared_ptr<const Source>& image, const Reading& reading)
{
  std::vector<Candidate> result;
  for (const BlockDevice& device : read_block_devices()) {
    if (!is_disk(device))
      continue;
    Candidate candidate{.path = device.path(),
                        .size_bytes = device.size_bytes,
                        .transport = transport_of(sysfs_folder(device.number)),
                        .hardware_name = hardware_name(device.number),
                        .contents = {},
                        .identity = device_identity(device.number),
                        .why_not = ""};
    try {
      const FileSource disk(candidate.path);
      candidate.contents = contents_of(disk, disk.device_sector_size_bytes());
      candidate.why_not = why_not(image, reading, disk, device.number);
    } catch (const std::exception& e) {
      candidate.why_not = e.what();
    }
    if (!device.is_loop || candidate.why_not.empty())
      result.push_back(std::move(candidate));
  }
  return result;
}

}  // namespace gptgrow
