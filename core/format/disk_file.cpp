// SPDX-License-Identifier: BSD-3-Clause
#include "core/format/disk_file.h"

#include "core/error.h"
#include "core/format/qemu_nbd.h"
#include "core/format/vmdk.h"
#include "core/nbd/nbd_source.h"
#include "core/source/file_io.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>
#include <system_error>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

namespace gptgrow {

namespace {

using Files = std::vector<std::shared_ptr<const FileSource>>;

class DiskFile : public nbd::NbdSource {
public:
  DiskFile(std::unique_ptr<QemuNbd> qemu, Files files) : NbdSource(std::move(qemu)), files_(std::move(files)) {}

  std::vector<const Source*> stored_in() const override
  {
    std::vector<const Source*> all;
    for (const auto& file : files_)
      all.push_back(file.get());
    return all;
  }

  void share() const override
  {
    for (const auto& file : files_)
      file->share();
  }

  std::string version() const override
  {
    std::string all;
    for (const auto& file : files_) {
      const std::string one = file->version();
      if (one.empty())
        return {};
      all += (all.empty() ? "" : ", ") + one;
    }
    return all;
  }

  std::optional<timespec> modified() const override { return files_.front()->modified(); }

private:
  Files files_;
};

/// Of files that QEMU is given open, whatever their names lead to by now.
std::string qemu_image(std::string_view driver, const FileDescriptor& file, bool is_device, std::string_view more)
{
  return fmt::format(R"({{"driver":"{}","read-only":true,"backing":null{},"file":{{"driver":"{}","filename":"{}"}}}})",
                     driver, more, is_device ? "host_device" : "file", path_in_qemu(file));
}

/// A file of the descriptor's own folder, and no link to elsewhere.
std::shared_ptr<const FileSource> open_extent(const FileDescriptor& folder, const std::string& folder_name,
                                              const std::string& name)
{
  const std::string path = folder_name + '/' + name;
  FileDescriptor fd(::openat(folder.get(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (fd.get() == -1 && errno == ELOOP)
    refuse("{}: VMDK extent: a symbolic link, expected a file in the same folder as the descriptor", path);
  if (fd.get() == -1)
    throw std::system_error(errno, std::generic_category(), message("{}: VMDK extent", path));
  struct stat status;
  if (::fstat(fd.get(), &status) == -1 || !S_ISREG(status.st_mode))
    refuse("{}: VMDK extent: expected a regular file", path);
  return std::make_shared<const FileSource>(path, std::move(fd));
}

std::shared_ptr<const Source> open_with_qemu(Files files, std::string_view driver, std::string_view more = "")
{
  const FileSource& file = *files.front();
  std::vector<FileDescriptor> given;
  given.push_back(for_qemu(file.fd(), file.name()));
  std::string image = qemu_image(driver, given.front(), file.is_block_device(), more);
  return std::make_shared<const DiskFile>(std::make_unique<QemuNbd>(file.name(), std::move(image), std::move(given)),
                                          std::move(files));
}

/// Each extent takes descriptors, here and in QEMU, which inherits the limit.
void allow_many_files()
{
  constexpr rlim_t kEnough = 8192;
  struct rlimit limit;
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < kEnough) {
    limit.rlim_cur = std::min(kEnough, limit.rlim_max);
    (void)::setrlimit(RLIMIT_NOFILE, &limit);
  }
}

/// QEMU gets a descriptor that we wrote, over files that we opened.
std::shared_ptr<const Source> open_vmdk_extents(std::shared_ptr<const FileSource> descriptor)
{
  const std::vector<VmdkExtent> extents = read_vmdk_descriptor(*descriptor);
  const std::string path = std::filesystem::read_symlink(fmt::format("/proc/self/fd/{}", descriptor->fd()));
  const std::string folder_name = std::filesystem::path(path).parent_path();
  const FileDescriptor folder(::open(folder_name.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() == -1)
    throw std::system_error(errno, std::generic_category(), folder_name);

  allow_many_files();
  Files files{descriptor};
  std::vector<FileDescriptor> given;
  std::vector<std::string> names;
  std::set<std::string_view> sparse;
  for (const VmdkExtent& extent : extents) {
    if (extent.is_sparse && !sparse.insert(extent.file).second)
      refuse("{}: VMDK extent: \"{}\" twice, expected a file for each", descriptor->name(), extent.file);
    files.push_back(open_extent(folder, folder_name, extent.file));
    if (extent.is_sparse)
      check_vmdk_sparse(*files.back(), &extent);
    else
      check_vmdk_flat(*files.back(), extent);
    given.push_back(for_qemu(files.back()->fd(), descriptor->name()));
    names.push_back(path_in_qemu(given.back()));
  }
  const std::string text = vmdk_descriptor(extents, names);
  const FileDescriptor memory(::memfd_create("descriptor", MFD_CLOEXEC));
  if (memory.get() == -1)
    throw std::system_error(errno, std::generic_category(), descriptor->name());
  write_fully(memory.get(), descriptor->name(), 0, std::as_bytes(std::span(text)));
  given.push_back(for_qemu(memory.get(), descriptor->name()));
  std::string image = qemu_image("vmdk", given.back(), false, "");
  auto disk = std::make_shared<const DiskFile>(
      std::make_unique<QemuNbd>(descriptor->name(), std::move(image), std::move(given)), std::move(files));
  std::uint64_t sectors = 0;
  for (const VmdkExtent& extent : extents)
    sectors += extent.sectors;
  if (disk->size_bytes() != sectors * kVmdkSectorBytes)
    refuse("{}: QEMU makes a disk of {} bytes of it, expected {}, the sum of its extents", descriptor->name(),
           disk->size_bytes(), sectors * kVmdkSectorBytes);
  return disk;
}

}  // namespace

std::shared_ptr<const Source> open_disk_file(std::shared_ptr<const FileSource> file, DiskFormat format)
{
  switch (format) {
  case DiskFormat::qcow2: check_qcow2(*file); return open_with_qemu({std::move(file)}, "qcow2");
  case DiskFormat::vdi: check_vdi(*file); return open_with_qemu({std::move(file)}, "vdi");
  case DiskFormat::vhdx: check_vhdx(*file); return open_with_qemu({std::move(file)}, "vhdx");
  case DiskFormat::vhd:
    check_vhd(*file);
    // Not the size that its geometry can express.
    return open_with_qemu({std::move(file)}, "vpc", R"(,"force_size_calc":"current_size")");
  case DiskFormat::vmdk:
    if (is_vmdk_descriptor(*file))
      return open_vmdk_extents(std::move(file));
    check_vmdk_sparse(*file, nullptr);
    return open_with_qemu({std::move(file)}, "vmdk");
  case DiskFormat::raw: break;
  }
  return file;
}

}  // namespace gptgrow
