// SPDX-License-Identifier: BSD-3-Clause
// Whether a restore may go on from a map.
#pragma once

#include "core/disk/disk.h"
#include "core/restore/free_space.h"
#include "core/restore/progress_map.h"

namespace gptgrow {

/// `state` is what content_state() tells of `disk`.
RestoreIdentity identity_of(const Disk& disk, const std::string& state, const Gpt& gpt, FreeSpace free_space);

/// Throws Error unless `map` is of the restore that `identity` is of, and `target` still has its id in the mark of an unfinished
/// restore, or some of exactly this `gpt` (it was cut off while that was written). `target` is none where there is none of that
/// name; both names are for messages.
void check_resumable(const ProgressMap& map, const std::string& map_path, const RestoreIdentity& identity,
                     const Gpt& gpt, const Source* target, const std::string& target_name,
                     const std::string& image_name);

/// What the map has of data and of what becomes zeros.
std::uint64_t bytes_done(const ProgressMap& map, const Disk& disk, FreeSpace free_space);

}  // namespace gptgrow
