// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/report/text_style.h"
#include "core/restore/verify.h"

#include <functional>
#include <string_view>

namespace gptgrow {

/// What verify() found; `disk` and `target` are what it compared, and are read again where their tables differ.
std::string to_text(const Verification& verification, const Disk& disk, const Source& target,
                    const VerifyOptions& options, const TextStyle& style);

/// Writes it piece by piece: a large array makes a long text. What is written is given up, for the same reason.
void write_json(Verification verification, const Disk& disk, const Source& target, const VerifyOptions& options,
                const std::function<void(std::string_view)>& write);

}  // namespace gptgrow
