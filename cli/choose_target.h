// SPDX-License-Identifier: BSD-3-Clause
// Which disk to restore to, asked at the terminal.
#pragma once

#include "core/disk/disk.h"
#include "core/target/contents.h"

namespace gptgrow {

/// What `contents` are, in a word or two; empty: nothing is recognized.
std::string summary(const Contents& contents);

/// Shows the disks that could take `image`, and why others could not, and reads which is meant: no answer is a default.
/// Returns its path. Throws Error where nobody can be asked, there is none, or the answer is another.
std::string choose_target(const std::shared_ptr<const Source>& image, const Reading& reading);

}  // namespace gptgrow
