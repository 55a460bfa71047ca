// SPDX-License-Identifier: BSD-3-Clause
#include "core/target/medium.h"

#include "core/target/block_graph.h"

#include <fmt/core.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>

#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace gptgrow {

namespace {

namespace fs = std::filesystem;

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

Medium medium_of(const Image& image)
{
  struct stat status;
  if (::fstat(image.fd(), &status) == -1)
    throw std::system_error(errno, std::generic_category(), image.path());
  return S_ISBLK(status.st_mode) ? Medium{true, status.st_rdev, 0} : Medium{false, status.st_dev, status.st_ino};
}

}  // namespace

bool same_medium(const Image& a, const Image& b)
{
  const BlockGraph graph(read_block_devices());
  const auto parts_of = [&](const Image& image) { return graph.made_of(graph.whole(medium_of(image))); };
  return overlap(parts_of(a), parts_of(b));
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
