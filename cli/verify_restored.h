// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "cli/command.h"
#include "core/restore/restore.h"

namespace gptgrow {

/// Reads the target of a restore that ran, from the medium, and prints what it finds. Where it is not what was written, or
/// cannot be read, its table is taken away again. `image`: what the user calls it.
Exit verify_restored(Restore& restore, const DiskOptions& image, FreeSpace free_space);

}  // namespace gptgrow
