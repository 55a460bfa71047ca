// SPDX-License-Identifier: BSD-3-Clause
// Lines of /proc/PID/mountinfo and of its kind, proc(5). Nothing here looks at a file.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace gptgrow {

struct Mount {
  int id = 0;
  dev_t device = 0;
  std::string type;
  std::string source;
  std::string where;
  std::string options;  // of the file system, escaped as the kernel escapes them
  pid_t process = 0;    // one of another mount namespace; 0 in this one's own

  /// Its block device, by number or by source.
  bool is_of(dev_t block_device) const;
};

/// A line of mountinfo, of this process; nothing when it is none.
std::optional<Mount> parse_mount(std::string_view line);

/// A field without the kernel's escapes: a blank is written \040.
std::string unescape_field(std::string_view field);

/// The folders that an overlay shows, the upper one among them, out of the `options` of its mount.
std::vector<std::string> overlay_folders(std::string_view options);

}  // namespace gptgrow
