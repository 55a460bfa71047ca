// SPDX-License-Identifier: BSD-3-Clause
// Past the kernel's page cache: what a medium holds, not what is remembered of it.
#pragma once

#include "core/source/file_descriptor.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace gptgrow {

/// What every disk and file system takes for reads and writes past the page cache: place, length and memory.
inline constexpr std::size_t kDirectAlignment = 4096;

/// The same open file again, past the page cache; none where it cannot be used so.
FileDescriptor open_direct(int fd);

/// Whether what open_direct() gave reads the medium; not where a loop device below reads its file through the cache.
bool reads_medium(int direct);

/// Fills `buffer` from the medium of an open file, whose `direct` comes from open_direct(); without that, from a page
/// cache that was asked to forget. Failed system calls are std::system_error; so is the end of the file (EIO).
void read_medium(int fd, int direct, const std::string& path, std::uint64_t offset, std::span<std::byte> buffer);

}  // namespace gptgrow
