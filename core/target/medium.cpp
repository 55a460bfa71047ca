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

}  // namespace

std::optional<struct stat> status_of(const Source& source)
{
  const Source& stored = *source.stored_in().front();
  const auto file = stored.file_range({0, stored.size_bytes()});
  struct stat status;
  if (file && ::fstat(file->fd, &status) == -1)
    throw std::system_error(errno, std::generic_category(), source.name());
  return file ? std::optional(status) : std::nullopt;
}

bool same_medium(const Source& a, const Source& b)
{
  const BlockGraph graph(read_block_devices());
  const auto parts_of = [&](const Source& source) {
    std::vector<MediumPart> all;
    for (const Source* const stored : source.stored_in())
      if (const auto status = status_of(*stored))
        for (MediumPart& part : graph.made_of(graph.whole(medium_of(*status))))
          all.push_back(std::move(part));
    return all;
  };
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

std::string device_identity(dev_t device)
{
  const fs::path folder = sysfs_folder(device);
  return fmt::format("{}, {} sectors, disk {}", hardware_name(device), line_of(folder / "size"),
                     line_of(folder / "diskseq"));
}

std::string identity_of(const Source& source)
{
  const auto status = status_of(source);
  if (!status)
    return source.name();
  return S_ISREG(status->st_mode) ? fmt::format("changed {}.{:09}", status->st_ctim.tv_sec, status->st_ctim.tv_nsec)
                                  : hardware_name(status->st_rdev);
}

mode_t mode_of_copy(const Source& source)
{
  constexpr mode_t kOwner = S_IRUSR | S_IWUSR, kAll = kOwner | S_IRGRP | S_IWGRP | S_IROTH | S_IWOTH;
  mode_t mode = kAll;
  for (const Source* const stored : source.stored_in()) {
    const auto status = status_of(*stored);
    if (!status)
      return kOwner;
    if (S_ISREG(status->st_mode))
      mode &= kOwner | status->st_mode;
    else if (!(status->st_mode & S_IROTH))
      mode = kOwner;
  }
  return mode;
}

bool is_partition(dev_t device)
{
  return fs::exists(sysfs_folder(device) / "partition");
}

}  // namespace gptgrow
