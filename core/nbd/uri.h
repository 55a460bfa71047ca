// SPDX-License-Identifier: BSD-3-Clause
// NBD servers, named by URIs: nbd://HOST[:PORT]/EXPORT, nbd+unix:///EXPORT?socket=PATH, and with TLS nbds:// and nbds+unix://.
#pragma once

#include "core/nbd/server.h"

#include <string_view>

namespace gptgrow::nbd {

/// Whether `name` is no file's but a server's.
bool is_uri(std::string_view name);

/// Throws Error for what cannot be a URI, or has a password in it. Nothing is connected to yet.
std::unique_ptr<Server> server_at(const std::string& uri);

}  // namespace gptgrow::nbd
