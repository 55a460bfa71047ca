// SPDX-License-Identifier: BSD-3-Clause
// What is mounted, in every mount namespace that can be seen, and on which disks a file lies.
#pragma once

#include "core/target/block_graph.h"
#include "core/target/mount_table.h"

namespace gptgrow {

struct Mounts {
  std::vector<Mount> all;
  bool has_all_namespaces = true;  // of processes; not those that are kept without one
};

/// As the /proc says that is mounted at `proc`.
Mounts read_mounts(const std::filesystem::path& proc = "/proc");

/// Devices and files that are swap space.
std::vector<Medium> swap_spaces(const std::filesystem::path& table = "/proc/swaps");

/// What a file's bytes are on.
struct Backing {
  enum class Kind {
    known,   // `disks`, or memory alone
    hidden,  // of the kernel, but its disks cannot be named from here
    served,  // by a program or another machine: what that reads cannot be told
  };
  Kind kind = Kind::known;
  std::vector<dev_t> disks;
};

/// `file` has a path, which is passed by when it has come to mean something else.
Backing backing_of(const Medium& file, const Mounts& mounts, const BlockGraph& graph);

/// Whether an overlay shows it, at that path or by that number.
bool is_on_overlay(const Medium& file, const Mounts& mounts);

/// The mount that a file was reached through.
const Mount* mount_of(const Medium& file, const Mounts& mounts);

}  // namespace gptgrow
