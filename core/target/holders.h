// SPDX-License-Identifier: BSD-3-Clause
// Who holds any byte of a disk or file, at any depth above or below it.
#pragma once

#include "core/source/file_descriptor.h"

#include <string>
#include <vector>

#include <sys/stat.h>

namespace gptgrow {

struct Holder {
  enum class Kind {
    mount,        // `by`: where
    file_system,  // mounted where it cannot be seen; `by`: its type
    swap,
    member,     // `by`: the mapped device, RAID or cache that it is a part of
    loop,       // `by`: the loop device over it
    lock,       // `by`: the program, where that is known
    exclusive,  // somebody, says the kernel
  };
  Kind kind;
  std::string what;  // the device or file that is held
  std::string by;
};

/// "/dev/sdb1 is mounted on /mnt".
std::string to_string(const Holder& holder);

struct Holding {
  std::vector<Holder> holders;

  /// Why some holder might not have been found, a sentence each.
  std::vector<std::string> unseen;

  /// Some of `unseen` may be gone in a moment.
  bool may_pass = false;

  /// Keeps others from devices below the target while they are open.
  std::vector<FileDescriptor> claims;
};

/// What may be held.
enum class Scope {
  every_byte,
  beside_partitions,  // of a disk: not what is in one of its partitions, nor what that is a part of
};

/// Of the file or block device `path`, which `status` is of. Who has a device open for writing is given a second to be done
/// with it. Locks on `path` itself are not looked for, but for other nodes of the same device: who writes takes its own. Not
/// a file's own file system: that is mounted, and none of the file's bytes is thereby another's.
Holding find_holders(const std::string& path, const struct stat& status, Scope scope = Scope::every_byte);

}  // namespace gptgrow
