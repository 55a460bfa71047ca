// SPDX-License-Identifier: BSD-3-Clause
// NBD servers, named by URIs: nbd://HOST[:PORT]/EXPORT, nbd+unix:///EXPORT?socket=PATH, and with TLS nbds:// and nbds+unix://.
#pragma once

#include "core/source/source.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace gptgrow::nbd {

/// Whether `name` is no file's but a server's.
inline bool is_uri(std::string_view name)
{
  constexpr std::array<std::string_view, 6> schemes{"nbd://",       "nbds://",      "nbd+unix://",
                                                    "nbds+unix://", "nbd+vsock://", "nbds+vsock://"};
  return std::ranges::any_of(schemes, [&](std::string_view scheme) { return name.starts_with(scheme); });
}

/// Messages name the server, and nobody shall read a password there: throws Error, without it. Precondition: is_uri().
void check_no_password(const std::string& uri);

/// Connects to the server at `uri`. Throws Error for what cannot be a URI, or has a password in it, and where nobody answers.
std::shared_ptr<const Source> open_server(const std::string& uri);

}  // namespace gptgrow::nbd
