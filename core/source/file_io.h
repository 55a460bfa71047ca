// SPDX-License-Identifier: BSD-3-Clause
// Reads and writes at a place of an open file, whole or not at all. What fails is IoError; the end of the file is EIO.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <system_error>

namespace gptgrow {

/// what() says the path, what failed, and the byte.
class IoError : public std::system_error {
public:
  IoError(int error, const std::string& path, const char* what, std::uint64_t offset);

  const std::string& path() const { return path_; }

private:
  std::string path_;
};

[[noreturn]] void throw_io_error(int error, const std::string& path, const char* what, std::uint64_t offset);
[[noreturn]] void throw_end_of_file(const std::string& path, std::uint64_t offset);

/// What to say of an error of a file: of a block device without room for a byte, that it is gone. The kernel says ENOSPC then, as
/// one that was pulled has no size any more.
int error_to_say(int error, int fd, std::uint64_t offset);

/// As much as one call gives; 0 at the end of the file.
std::size_t read_some(int fd, const std::string& path, std::uint64_t offset, std::span<std::byte> buffer);

void read_fully(int fd, const std::string& path, std::uint64_t offset, std::span<std::byte> buffer);
void write_fully(int fd, const std::string& path, std::uint64_t offset, std::span<const std::byte> bytes);

}  // namespace gptgrow
