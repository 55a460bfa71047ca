// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/// A file that goes away with this object.
class TemporaryFile {
public:
  TemporaryFile()
      : path_((std::filesystem::temp_directory_path() / "gptgrow-XXXXXX").string()), fd_(::mkstemp(path_.data()))
  {
    if (fd_ == -1)
      throw std::runtime_error("mkstemp " + path_);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  ~TemporaryFile()
  {
    ::close(fd_);
    ::unlink(path_.c_str());
  }

  const std::string& path() const { return path_; }

  void write(std::uint64_t offset, std::string_view bytes) const
  {
    if (::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset)) != static_cast<ssize_t>(bytes.size()))
      throw std::runtime_error("write " + path_);
  }

  void resize(std::uint64_t size) const { std::filesystem::resize_file(path_, size); }

private:
  std::string path_;
  int fd_;
};
