// SPDX-License-Identifier: BSD-3-Clause
// What grows the contents of a partition that has become longer.
#pragma once

#include <string>

namespace gptgrow {

struct Growing {
  std::string command;  // of another program; empty: there is none
  std::string remark;   // when, or why not; may be empty
};

/// For what libblkid calls `type`. `device` is the partition, `mount_point` where it is mounted; empty: not known. Words that
/// stand for something else are in capitals.
Growing growing(const std::string& type, const std::string& device, const std::string& mount_point);

}  // namespace gptgrow
