// SPDX-License-Identifier: BSD-3-Clause
// What grows the contents of a partition that has become longer.
#pragma once

#include <string>

namespace gptgrow {

struct Growing {
  std::string command;  // of another program; empty: there is none
  std::string remark;   // when, or why not; may be empty
  bool hides = false;   // what is in it is not found any more once the partition is longer, unless it is grown at once
};

/// For what libblkid calls `type`. `device` is the partition, `mount_point` where it is mounted; empty: not known. Words that
/// stand for something else are in capitals. `is_found_from_end`: as Inside has it; what is also found from its beginning does
/// not mind.
Growing growing(const std::string& type, const std::string& device, const std::string& mount_point,
                bool is_found_from_end = false);

}  // namespace gptgrow
