// SPDX-License-Identifier: BSD-3-Clause
// What gptgrow throws when it refuses. Failed system calls are std::system_error instead.
#pragma once

#include <fmt/core.h>

#include <stdexcept>

namespace gptgrow {

/// A refusal. what() names the file, the field, the value found and the value expected.
class Error : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <typename... Args>
[[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args)
{
  throw Error(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace gptgrow
