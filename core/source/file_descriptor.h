// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <utility>

#include <unistd.h>

namespace gptgrow {

/// Owns an open file descriptor, or none (-1).
class FileDescriptor {
public:
  explicit FileDescriptor(int fd = -1) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept
  {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor()
  {
    if (fd_ != -1)
      ::close(fd_);
  }

  int get() const { return fd_; }

private:
  int fd_;
};

}  // namespace gptgrow
