// SPDX-License-Identifier: BSD-3-Clause
// What a partition type is called.
#pragma once

#include "core/gpt/fields.h"

#include <string>
#include <string_view>

namespace gptgrow {

/// The name by which util-linux, or else gptgrow, knows `type_guid`; empty when neither does. Any thread may call.
std::string_view type_name(const Guid& type_guid);

/// The same, or else the GUID.
std::string type_text(const Guid& type_guid);

}  // namespace gptgrow
