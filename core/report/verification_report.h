// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/report/text_style.h"
#include "core/restore/verify.h"

namespace gptgrow {

std::string to_text(const Verification& verification, const Disk& disk, const std::string& target,
                    const VerifyOptions& options, const TextStyle& style);
std::string to_json(const Verification& verification, const Disk& disk, const std::string& target,
                    const VerifyOptions& options);

}  // namespace gptgrow
