// SPDX-License-Identifier: BSD-3-Clause
// Reads and writes at a place of an open file, whole or not at all. What fails is std::system_error, with the path and the
// byte; the end of the file is EIO.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace gptgrow {

[[noreturn]] void throw_io_error(int error, const std::string& path, const char* what, std::uint64_t offset);
[[noreturn]] void throw_end_of_file(const std::string& path, std::uint64_t offset);

/// As much as one call gives; 0 at the end of the file.
std::size_t read_some(int fd, const std::string& path, std::uint64_t offset, std::span<std::byte> buffer);

void read_fully(int fd, const std::string& path, std::uint64_t offset, std::span<std::byte> buffer);
void write_fully(int fd, const std::string& path, std::uint64_t offset, std::span<const std::byte> bytes);

}  // namespace gptgrow
