// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/restore/monitor.h"
#include "core/stream/image_stream.h"
#include "core/target/direct.h"

namespace gptgrow {

/// Reads all of `stream` and writes nothing: for a comparison with `target`, which must outlive what is returned. Nothing: it
/// was stopped.
std::shared_ptr<StreamedImage> read_once(ImageStream& stream, const DirectSource& target, Monitor& monitor);

}  // namespace gptgrow
