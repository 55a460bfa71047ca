// SPDX-License-Identifier: BSD-3-Clause
#include "core/source/open_source.h"

#include "core/error.h"
#include "core/format/disk_file.h"
#include "core/nbd/uri.h"
#include "core/source/file_source.h"

namespace gptgrow {

std::shared_ptr<const Source> open_source(const std::string& name, std::optional<DiskFormat> format)
{
  if (nbd::is_uri(name)) {
    if (format.value_or(DiskFormat::raw) != DiskFormat::raw)
      refuse("{}: format {}, expected none or raw: a server gives the disk itself", name, name_of(*format));
    return nbd::open_server(name);
  }
  auto file = std::make_shared<const FileSource>(name);
  const DiskFormat found = format ? *format : file->is_block_device() ? DiskFormat::raw : format_of(*file);
  if (found == DiskFormat::raw)
    return file;
  return open_disk_file(std::move(file), found);
}

}  // namespace gptgrow
