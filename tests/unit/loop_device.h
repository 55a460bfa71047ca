// SPDX-License-Identifier: BSD-3-Clause
// A loop device over a file, where this machine lets us have one.
#pragma once

#include "core/source/file_descriptor.h"
#include "core/units.h"

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>

#include <fcntl.h>
#include <linux/blkpg.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/// It is gone when the last who has it open has closed it.
class LoopDevice {
public:
  /// None, and a line that says so, where there are no loop devices for us. `flags` are LO_FLAGS_...
  static std::optional<LoopDevice> over(const std::string& file, std::uint32_t flags = 0)
  {
    const gptgrow::FileDescriptor control(::open("/dev/loop-control", O_RDWR | O_CLOEXEC));
    const gptgrow::FileDescriptor backing(::open(file.c_str(), O_RDWR | O_CLOEXEC));
    while (control.get() != -1) {
      const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
      std::string path = "/dev/loop" + std::to_string(number);
      gptgrow::FileDescriptor fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
      if (fd.get() == -1)
        break;
      loop_config config{};
      config.fd = static_cast<std::uint32_t>(backing.get());
      config.info.lo_flags = flags | LO_FLAGS_AUTOCLEAR;
      if (::ioctl(fd.get(), LOOP_CONFIGURE, &config) == 0)
        return LoopDevice(std::move(path), std::move(fd));
      if (errno != EBUSY)  // else another one was faster
        break;
    }
    std::puts("not tried here: it takes a loop device");
    return std::nullopt;
  }

  const std::string& path() const { return path_; }
  int fd() const { return fd_.get(); }

  dev_t number() const
  {
    struct stat status {};
    (void)::fstat(fd(), &status);
    return status.st_rdev;
  }

  /// As a table that the kernel reads would have it, which not each one can. Takes LO_FLAGS_PARTSCAN.
  bool add_partition(int number, gptgrow::ByteRange range) const
  {
    blkpg_partition partition{};
    partition.pno = number;
    partition.start = static_cast<long long>(range.offset);
    partition.length = static_cast<long long>(range.size);
    blkpg_ioctl_arg argument{BLKPG_ADD_PARTITION, 0, sizeof(partition), &partition};
    return ::ioctl(fd(), BLKPG, &argument) == 0;
  }

  /// Only whoever else has it open keeps it from now on.
  void close() { fd_ = gptgrow::FileDescriptor(); }

private:
  LoopDevice(std::string path, gptgrow::FileDescriptor fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  std::string path_;
  gptgrow::FileDescriptor fd_;
};
