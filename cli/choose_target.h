// SPDX-License-Identifier: BSD-3-Clause
// Which disk to restore to, asked at the terminal.
#pragma once

#include "core/disk/disk.h"
#include "core/restore/candidates.h"

namespace gptgrow {

/// Shows the disks that could take `image`, and why others could not, and reads which is meant: no answer is a default.
/// Throws Error where nobody can be asked, there is none, or the answer is another.
Candidate choose_target(const std::shared_ptr<const Source>& image, const Reading& reading);

/// Throws Error when another disk has its name by now, as after a stick was pulled out and another one put in.
void check_is_still(const Candidate& chosen);

}  // namespace gptgrow
