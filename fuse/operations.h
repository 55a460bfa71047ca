// SPDX-License-Identifier: BSD-3-Clause
// What libfuse calls: requests in, core calls, bytes out.
#pragma once

#include "fuse/file_system.h"

#include <fuse_lowlevel.h>

namespace gptgrow {

/// The largest read that is asked of a file system, in bytes: for the mount option max_read too. A splice of this size
/// fits into the pipes that an ordinary user may have, with one of 1 MiB libfuse falls back to copying.
inline constexpr unsigned kMaxReadBytes = 256 * 1024;

/// For fuse_session_new(), with a FileSystem as user data.
extern const fuse_lowlevel_ops kOperations;

}  // namespace gptgrow
