// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/source/source.h"

namespace gptgrow {

/// Opens what a user calls an image, or a disk that is only looked at: a file or block device. Throws Error for anything else.
std::shared_ptr<const Source> open_source(const std::string& name);

}  // namespace gptgrow
