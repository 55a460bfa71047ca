// SPDX-License-Identifier: BSD-3-Clause
// Small files of text beside a disk that is written: they outlive a power cut. Failed system calls are std::system_error.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gptgrow {

/// Writes a new file, durable with its name when this returns. False, and nothing is written, when `path` exists.
bool write_new_file(const std::string& path, std::string_view text);

/// Replaces a file, or makes it: a power cut leaves the old text or the new. Durable when this returns.
void replace_file(const std::string& path, std::string_view text);

/// Removes a file; its name is gone for good when this returns.
void remove_file(const std::string& path);

/// The same, if that works: what went wrong before is what counts.
void remove_if_possible(const std::string& path) noexcept;

/// Whether there is something of that name. What cannot be looked at is not taken for nothing.
bool exists(const std::string& path);

/// Whether both would be the same file, also where there is none yet.
bool is_same_path(const std::string& a, const std::string& b);

/// Makes the name of a file durable.
void sync_directory_of(const std::string& path);

/// Throws Error when `path` is no regular file or block device, or longer than `max_size_bytes`.
std::string read_file(const std::string& path, std::uint64_t max_size_bytes);

}  // namespace gptgrow
