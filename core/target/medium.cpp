// SPDX-License-Identifier: BSD-3-Clause
#include "core/target/medium.h"

#include "core/target/block_graph.h"
#include "core/target/sysfs.h"

#include <fmt/core.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include <sys/stat.h>

namespace gptgrow {

namespace {

namespace fs = std::filesystem;

/// Devices fill their names up with spaces.
std::string name_in(const fs::path& path)
{
  std::string line = line_of(path);
  line.erase(line.find_last_not_of(" \t\n") + 1);
  line.erase(0, line.find_first_not_of(" \t"));
  return line;
}

Medium medium_of(const Image& image)
{
  struct stat status;
  if (::fstat(image.fd(), &status) == -1)
    throw std::system_error(errno, std::generic_category(), image.path());
  return gptgrow::medium_of(status);
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
  const std::string vendor = name_in(folder / "device/vendor"), model = name_in(folder / "device/model");
  std::string name = vendor.starts_with("0x") || vendor.empty() || model.empty() ? model : vendor + ' ' + model;
  for (const char* place : {"device/serial", "serial", "device/wwid", "wwid"}) {
    if (const std::string serial = name_in(folder / place); !serial.empty())
      return fmt::format("{}{}serial {}", name, name.empty() ? "" : ", ", serial);
  }
  return name;
}

bool is_partition(dev_t device)
{
  return fs::exists(sysfs_folder(device) / "partition");
}

}  // namespace gptgrow
