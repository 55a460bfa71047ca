// SPDX-License-Identifier: BSD-3-Clause
// The disks of this machine that an image could go to.
#pragma once

#include "core/disk/disk.h"
#include "core/target/contents.h"

namespace gptgrow {

struct Candidate {
  std::string path;
  std::uint64_t size_bytes = 0;
  std::string transport;      // "usb", "nvme"; may be empty
  std::string hardware_name;  // model and serial number, where they are known
  Contents contents;          // nothing where it cannot be read
  std::string identity;       // device_identity()
  std::string why_not;        // one sentence; empty: it could take the image
};

/// All disks, in the kernel's order; of loop devices only those that could take it. Opens none for writing. Where an error
/// keeps a disk from being looked at, that is why not.
std::vector<Candidate> candidates(const std::shared_ptr<const Source>& image, const Reading& reading);

}  // namespace gptgrow
