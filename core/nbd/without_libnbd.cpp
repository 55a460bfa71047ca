// SPDX-License-Identifier: BSD-3-Clause
// In place of what needs libnbd, of which there is no archive for a static gptgrow.
#include "core/error.h"
#include "core/format/disk_file.h"
#include "core/nbd/uri.h"

namespace gptgrow {

std::shared_ptr<const Source> nbd::open_server(const std::string& uri)
{
  refuse("{}: this gptgrow was built without libnbd: name a file or block device, or let nbdcopy write the image to "
         "standard output, and restore -",
         uri);
}

std::shared_ptr<const Source> open_disk_file(std::shared_ptr<const FileSource> file, DiskFormat format)
{
  refuse("{}: a {} disk, and this gptgrow was built without libnbd, which would read it: qemu-img convert -O raw makes "
         "a raw image of it",
         file->name(), name_of(format));
}

}  // namespace gptgrow
