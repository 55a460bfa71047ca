// SPDX-License-Identifier: BSD-3-Clause
// A qemu-nbd of our own, which nobody else can reach, and which ends with us, however that happens.
#pragma once

#include "core/nbd/server.h"
#include "core/source/file_descriptor.h"

#include <sys/types.h>

namespace gptgrow {

/// The same open file, with a number that QemuNbd can hand on.
FileDescriptor for_qemu(int fd, const std::string& name);

/// How QEMU names a file that it was given so.
std::string path_in_qemu(const FileDescriptor& file);

class QemuNbd : public nbd::Server {
public:
  /// `image` is what QEMU opens: a node of its block layer, in JSON, over path_in_qemu() of `files`, made by for_qemu(). `name` is
  /// for messages.
  QemuNbd(std::string name, std::string image, std::vector<FileDescriptor> files);
  ~QemuNbd() override { stop(); }

  const std::string& name() const override { return name_; }

  /// Throws Error where it is not installed. To be called by a thread that lives as long as this: when that ends, so does QEMU.
  void start() override;
  void stop() override;
  nbd::Connect connect(unsigned number) const override;
  bool can_come_back() const override { return false; }
  std::string last_words() const override;

private:
  std::string name_, image_;
  std::vector<FileDescriptor> files_;
  pid_t process_ = -1;
  FileDescriptor said_;  // what it writes to its standard error
  mutable std::vector<FileDescriptor> sockets_;
};

}  // namespace gptgrow
