// SPDX-License-Identifier: BSD-3-Clause
// Reads and writes of coroutines.
#pragma once

#include "core/source/source.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

namespace gptgrow {

/// For one request at a time. Every call moves all the bytes, or throws.
class AsyncFile {
public:
  virtual ~AsyncFile() = default;

  virtual boost::asio::awaitable<void> read(std::uint64_t offset, std::span<std::byte> buffer) = 0;
  virtual boost::asio::awaitable<void> write(std::uint64_t offset, std::span<const std::byte> bytes) = 0;
};

/// A ring of the kernel's for files such as `fd`; none where a kernel or a sandbox forbids it.
std::unique_ptr<boost::asio::io_context> make_io_uring(int fd);

/// `fd` stays open for as long. Without a `ring`, a call blocks its thread. `path` is for messages.
std::unique_ptr<AsyncFile> open_file(boost::asio::io_context* ring, int fd, const std::string& path);

/// To read only; `source` must outlive it. A call blocks its thread.
std::unique_ptr<AsyncFile> open_blocking(const Source& source);

}  // namespace gptgrow
