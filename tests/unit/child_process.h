// SPDX-License-Identifier: BSD-3-Clause
// Another process that holds something, or sees other mounts. Not for programs that run under ThreadSanitizer.
#pragma once

#include "core/source/file_descriptor.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

class ChildProcess {
public:
  /// Calls `begin`, which returns what it says to us, in a child. That stays as it is then until this object is gone.
  template <typename Begin>
  explicit ChildProcess(Begin begin)
  {
    int said[2], end[2];
    if (::pipe2(said, O_CLOEXEC) == -1 || ::pipe2(end, O_CLOEXEC) == -1)
      throw std::runtime_error("pipe2");
    gptgrow::FileDescriptor said_read(said[0]), said_write(said[1]), end_read(end[0]), end_write(end[1]);
    id_ = ::fork();
    if (id_ == -1)
      throw std::runtime_error("fork");
    if (id_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      std::string text;
      try {
        text = begin();
      } catch (const std::exception& e) {
        text = e.what();
      }
      (void)!::write(said_write.get(), text.data(), text.size());
      said_write = gptgrow::FileDescriptor();
      end_write = gptgrow::FileDescriptor();
      char none;
      (void)!::read(end_read.get(), &none, 1);
      ::_exit(0);
    }
    said_write = gptgrow::FileDescriptor();
    end_ = std::move(end_write);
    char buffer[4096];
    for (ssize_t count; (count = ::read(said_read.get(), buffer, sizeof(buffer))) > 0;)
      said_.append(buffer, static_cast<std::size_t>(count));
  }
  ChildProcess(const ChildProcess&) = delete;
  ~ChildProcess()
  {
    end_ = gptgrow::FileDescriptor();
    (void)::waitpid(id_, nullptr, 0);
  }

  pid_t id() const { return id_; }

  /// As /proc shows it to those who look for holders.
  std::string name() const
  {
    std::string name;
    if (std::FILE* const file = std::fopen(("/proc/" + std::to_string(id_) + "/comm").c_str(), "re")) {
      for (int c; (c = std::fgetc(file)) != EOF && c != '\n';)
        name += static_cast<char>(c);
      std::fclose(file);
    }
    return name + " (" + std::to_string(id_) + ")";
  }

  const std::string& said() const { return said_; }

private:
  pid_t id_ = -1;
  gptgrow::FileDescriptor end_;
  std::string said_;
};

/// From now on, what this process mounts is seen by nobody else. False: it may not do that here.
inline bool have_own_mounts()
{
  return ::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

/// Makes a file system on `device` and mounts it at `folder`. False: that cannot be done here.
inline bool make_and_mount(const std::string& device, const std::string& folder, unsigned long flags = 0)
{
  const std::string make = "/sbin/mke2fs -q -F " + device;
  return std::system(make.c_str()) == 0 && ::mount(device.c_str(), folder.c_str(), "ext4", flags, nullptr) == 0;
}

/// Calls `check` in a child that has its own mounts. What it says, "" where all is well, or "not tried" where this machine does not
/// let us mount anything.
template <typename Check>
std::string with_own_mounts(Check check)
{
  const ChildProcess child([&] { return have_own_mounts() ? check() : std::string("not tried"); });
  if (child.said() == "not tried")
    std::puts("not tried here: it takes mounts");
  return child.said();
}

/// Mounts an overlay at `base`/both, over `base`/lower and upper; these are in memory, and `fill` puts files there. False: that cannot
/// be done here. To be called where mounts are one's own.
template <typename Fill>
bool mount_overlay(const std::string& base, Fill fill)
{
  if (::mount("none", base.c_str(), "tmpfs", 0, nullptr) == -1)
    return false;
  for (const char* name : {"/lower", "/upper", "/work", "/both"})
    if (::mkdir((base + name).c_str(), 0700) == -1)
      return false;
  fill();
  const std::string options = "lowerdir=" + base + "/lower,upperdir=" + base + "/upper,workdir=" + base + "/work";
  return ::mount("overlay", (base + "/both").c_str(), "overlay", 0, options.c_str()) == 0;
}
