// SPDX-License-Identifier: BSD-3-Clause
// Which programs have what open, and locked.
#pragma once

#include "core/target/block_graph.h"

namespace gptgrow {

struct OpenFile {
  Medium medium;
  std::string process;  // "qemu-nbd (1234)"
  bool can_write = false;
  bool is_locked = false;  // of any kind
};

struct OpenFiles {
  std::vector<OpenFile> all;
  bool has_all_processes = true;
};

/// What other programs have open of what `is_wanted`, under whatever name. Asks no server for anything.
OpenFiles find_open_files(const std::function<bool(const Medium&)>& is_wanted);

/// A line of /proc/locks. By the node of a device, not by its number.
struct Lock {
  dev_t file_system = 0;
  ino_t inode = 0;
  std::string process;  // empty: not known
};

/// Nothing where the kernel does not tell. Without this program's own, where it says whose they are.
std::optional<std::vector<Lock>> read_locks(const std::filesystem::path& table = "/proc/locks");

}  // namespace gptgrow
