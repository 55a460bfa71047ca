// SPDX-License-Identifier: BSD-3-Clause
#include "fuse/read_ahead.h"

#include "core/source/file_descriptor.h"

#include <cstdio>

#include <fcntl.h>
#include <sys/stat.h>

namespace gptgrow {

void widen_read_ahead(const char* mountpoint) noexcept
{
  // Nobody answers requests yet: the device number must come from what the kernel knows.
  struct statx status;
  if (::statx(AT_FDCWD, mountpoint, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, 0, &status) == -1)
    return;
  char path[64];
  std::snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u/read_ahead_kb", status.stx_dev_major, status.stx_dev_minor);
  const FileDescriptor file(::open(path, O_WRONLY | O_CLOEXEC));
  if (file.get() != -1)
    ::dprintf(file.get(), "%u", kReadAheadBytes / 1024);
}

}  // namespace gptgrow
