// SPDX-License-Identifier: BSD-3-Clause
#include "core/restore/async_file.h"

#include "core/source/file_io.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/random_access_file.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cerrno>

#include <fcntl.h>

namespace gptgrow {

namespace {

namespace asio = boost::asio;

class RingFile : public AsyncFile {
public:
  RingFile(asio::io_context& ring, int fd, std::string path)
      : path_(std::move(path)), file_(ring, ::fcntl(fd, F_DUPFD_CLOEXEC, 0))
  {
  }

  asio::awaitable<void> read(std::uint64_t offset, std::span<std::byte> buffer) override
  {
    while (!buffer.empty()) {
      boost::system::error_code error;
      const std::size_t count = co_await file_.async_read_some_at(offset, asio::buffer(buffer.data(), buffer.size()),
                                                                  asio::redirect_error(asio::use_awaitable, error));
      advance(buffer, offset, finished(count, error, "read", offset));
    }
  }

  asio::awaitable<void> write(std::uint64_t offset, std::span<const std::byte> bytes) override
  {
    while (!bytes.empty()) {
      boost::system::error_code error;
      const std::size_t count = co_await file_.async_write_some_at(offset, asio::buffer(bytes.data(), bytes.size()),
                                                                   asio::redirect_error(asio::use_awaitable, error));
      advance(bytes, offset, finished(count, error, "write", offset));
    }
  }

private:
  template <typename Span>
  static void advance(Span& bytes, std::uint64_t& offset, std::size_t count)
  {
    bytes = bytes.subspan(count);
    offset += count;
  }

  std::size_t finished(std::size_t count, const boost::system::error_code& error, const char* what,
                       std::uint64_t offset)
  {
    if (error && error != asio::error::eof)
      throw_io_error(error_to_say(error.value(), file_.native_handle(), offset), path_, what, offset);
    if (count == 0)
      throw_end_of_file(path_, offset);
    return count;
  }

  std::string path_;
  asio::random_access_file file_;
};

class BlockingFile : public AsyncFile {
public:
  BlockingFile(int fd, std::string path) : path_(std::move(path)), fd_(fd) {}

  asio::awaitable<void> read(std::uint64_t offset, std::span<std::byte> buffer) override
  {
    read_fully(fd_, path_, offset, buffer);
    co_return;
  }

  asio::awaitable<void> write(std::uint64_t offset, std::span<const std::byte> bytes) override
  {
    write_fully(fd_, path_, offset, bytes);
    co_return;
  }

private:
  std::string path_;
  int fd_;
};

class BlockingSource : public AsyncFile {
public:
  explicit BlockingSource(const Source& source) : source_(source) {}

  asio::awaitable<void> read(std::uint64_t offset, std::span<std::byte> buffer) override
  {
    source_.read(offset, buffer);
    co_return;
  }

  asio::awaitable<void> write(std::uint64_t offset, std::span<const std::byte>) override
  {
    throw_io_error(EBADF, source_.name(), "write", offset);
    co_return;
  }

private:
  const Source& source_;
};

}  // namespace

std::unique_ptr<asio::io_context> make_io_uring(int fd)
{
  auto context = std::make_unique<asio::io_context>(1);
  try {
    // The ring is made with the first file.
    const asio::random_access_file probe(*context, ::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  } catch (const boost::system::system_error&) {
    return nullptr;
  }
  return context;
}

std::unique_ptr<AsyncFile> open_file(asio::io_context* ring, int fd, const std::string& path)
{
  if (ring)
    return std::make_unique<RingFile>(*ring, fd, path);
  return std::make_unique<BlockingFile>(fd, path);
}

std::unique_ptr<AsyncFile> open_blocking(const Source& source)
{
  return std::make_unique<BlockingSource>(source);
}

}  // namespace gptgrow
