// SPDX-License-Identifier: BSD-3-Clause
#include "core/restore/transfer.h"

#include "core/source/file_io.h"
#include "core/target/direct.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/random_access_file.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <cstring>
#include <exception>
#include <mutex>
#include <new>

#include <fcntl.h>
#include <unistd.h>

namespace gptgrow {

namespace {

namespace asio = boost::asio;

constexpr std::size_t kSlots = 8;

/// One open file, for one request at a time. Every call moves all the bytes, or throws.
class AsyncFile {
public:
  explicit AsyncFile(std::string path) : path_(std::move(path)) {}
  virtual ~AsyncFile() = default;

  virtual asio::awaitable<void> read(std::uint64_t offset, std::span<std::byte> buffer) = 0;
  virtual asio::awaitable<void> write(std::uint64_t offset, std::span<const std::byte> bytes) = 0;

protected:
  const std::string& path() const { return path_; }

private:
  std::string path_;
};

class UringFile : public AsyncFile {
public:
  UringFile(asio::io_context& context, int fd, std::string path)
      : AsyncFile(std::move(path)), file_(context, ::fcntl(fd, F_DUPFD_CLOEXEC, 0))
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
                       std::uint64_t offset) const
  {
    if (error && error != asio::error::eof)
      throw_io_error(error.value(), path(), what, offset);
    if (count == 0)
      throw_end_of_file(path(), offset);
    return count;
  }

  asio::random_access_file file_;
};

/// Blocks its thread.
class BlockingFile : public AsyncFile {
public:
  BlockingFile(int fd, std::string path) : AsyncFile(std::move(path)), fd_(fd) {}

  asio::awaitable<void> read(std::uint64_t offset, std::span<std::byte> buffer) override
  {
    read_fully(fd_, path(), offset, buffer);
    co_return;
  }

  asio::awaitable<void> write(std::uint64_t offset, std::span<const std::byte> bytes) override
  {
    write_fully(fd_, path(), offset, bytes);
    co_return;
  }

private:
  int fd_;
};

bool is_aligned(ByteRange range)
{
  return range.offset % kDirectAlignment == 0 && range.size % kDirectAlignment == 0;
}

std::unique_ptr<asio::io_context> make_io_uring(int fd)
{
  auto context = std::make_unique<asio::io_context>(1);
  try {
    // The ring is made with the first file. A kernel or a sandbox may forbid it.
    const asio::random_access_file probe(*context, ::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  } catch (const boost::system::system_error&) {
    return nullptr;
  }
  return context;
}

struct Free {
  void operator()(std::byte* buffer) const { ::operator delete[](buffer, std::align_val_t(kDirectAlignment)); }
};

std::unique_ptr<std::byte[], Free> make_buffer()
{
  return std::unique_ptr<std::byte[], Free>(new (std::align_val_t(kDirectAlignment)) std::byte[Transfer::kChunkBytes]);
}

/// The files and the memory of one chunk in flight.
struct Slot {
  std::unique_ptr<AsyncFile> image;
  std::unique_ptr<AsyncFile> direct;    // the target, for aligned chunks
  std::unique_ptr<AsyncFile> buffered;  // the target, for the others
  std::unique_ptr<std::byte[], Free> first = make_buffer();
  std::unique_ptr<std::byte[], Free> second = make_buffer();

  AsyncFile& target(ByteRange range) { return direct && is_aligned(range) ? *direct : *buffered; }
};

}  // namespace

class Transfer::State {
public:
  State(const Disk& disk, OpenTarget target, Engine best)
      : disk_(disk),
        target_(std::move(target)),
        direct_(open_direct(target_.fd)),
        context_(direct_.get() == -1 || best == Engine::threads ? nullptr : make_io_uring(direct_.get())),
        slots_(kSlots)
  {
    const auto open = [&](int fd, const std::string& path) -> std::unique_ptr<AsyncFile> {
      if (context_)
        return std::make_unique<UringFile>(*context_, fd, path);
      return std::make_unique<BlockingFile>(fd, path);
    };
    for (Slot& slot : slots_) {
      slot.image = open(disk_.image().fd(), disk_.image().path());
      if (direct_.get() != -1)
        slot.direct = open(direct_.get(), target_.path);
      slot.buffered = std::make_unique<BlockingFile>(target_.fd, target_.path);
    }
  }

  /// Runs `work(slot)`, a coroutine, for every slot to its end.
  template <typename Work>
  void run(const Next& next, const Done& done, Work work)
  {
    next_ = &next;
    done_ = &done;
    ended_ = false;
    error_ = nullptr;
    first_difference_.reset();
    const auto finish = [this](std::exception_ptr error) {
      const std::lock_guard lock(mutex_);
      if (error && !error_)
        error_ = error;
      ended_ = ended_ || error;
    };
    if (context_) {
      for (Slot& slot : slots_)
        asio::co_spawn(*context_, work(slot), finish);
      context_->run();
      context_->restart();
    } else {
      asio::thread_pool pool(kSlots);
      for (Slot& slot : slots_)
        asio::co_spawn(pool, work(slot), finish);
      pool.join();
    }
    if (error_)
      std::rethrow_exception(error_);
  }

  asio::awaitable<void> copy_chunks(Slot& slot, const std::function<bool(ByteRange)>& zero)
  {
    while (const std::optional<Piece> chunk = take()) {
      const ByteRange range = chunk->range;
      const std::span buffer(slot.first.get(), range.size);
      co_await slot.image->read(image_offset(range), buffer);
      if (!is_zero(buffer) || !zero(range))
        co_await slot.target(range).write(range.offset, buffer);
      give_back(*chunk);
    }
  }

  asio::awaitable<void> compare_chunks(Slot& slot)
  {
    while (const std::optional<Piece> chunk = take()) {
      const ByteRange range = chunk->range;
      const std::span found(slot.first.get(), range.size), expected(slot.second.get(), range.size);
      co_await slot.target(range).read(range.offset, found);
      bool same = false;
      if (chunk->kind == Piece::Kind::data) {
        co_await slot.image->read(image_offset(range), expected);
        same = std::memcmp(found.data(), expected.data(), found.size()) == 0;
      } else {
        same = is_zero(found);
        if (!same)
          std::ranges::fill(expected, std::byte{0});
      }
      if (!same)
        differs(range.offset + static_cast<std::uint64_t>(std::ranges::mismatch(found, expected).in1 - found.begin()));
      give_back(*chunk);
    }
  }

  std::optional<std::uint64_t> first_difference() const { return first_difference_; }

private:
  std::uint64_t image_offset(ByteRange range) const { return disk_.image_offset(range).value(); }

  std::optional<Piece> take()
  {
    const std::lock_guard lock(mutex_);
    return ended_ ? std::nullopt : (*next_)();
  }

  void give_back(const Piece& chunk)
  {
    const std::lock_guard lock(mutex_);
    (*done_)(chunk);
  }

  /// What is in flight lies before or behind; what comes later lies behind.
  void differs(std::uint64_t offset)
  {
    const std::lock_guard lock(mutex_);
    first_difference_ = std::min(first_difference_.value_or(offset), offset);
    ended_ = true;
  }

  const Disk& disk_;
  OpenTarget target_;
  FileDescriptor direct_;
  std::unique_ptr<asio::io_context> context_;  // none: threads
  std::vector<Slot> slots_;

  std::mutex mutex_;  // of everything below
  const Next* next_ = nullptr;
  const Done* done_ = nullptr;
  bool ended_ = false;
  std::exception_ptr error_;
  std::optional<std::uint64_t> first_difference_;
};

Transfer::Transfer(const Disk& disk, OpenTarget target, Engine best)
    : state_(std::make_unique<State>(disk, std::move(target), best))
{
}

Transfer::~Transfer() = default;

void Transfer::copy(const Next& next, const std::function<bool(ByteRange)>& zero, const Done& done)
{
  state_->run(next, done, [&](Slot& slot) { return state_->copy_chunks(slot, zero); });
}

std::optional<std::uint64_t> Transfer::compare(const Next& next, const Done& done)
{
  state_->run(next, done, [&](Slot& slot) { return state_->compare_chunks(slot); });
  return state_->first_difference();
}

Piece first_chunk(const Piece& piece)
{
  const ByteRange range = piece.range;
  // Ragged ends are chunks of their own, so that all the rest can go past the page cache.
  const std::uint64_t block = range.offset % kDirectAlignment == 0 ? Transfer::kChunkBytes : kDirectAlignment;
  std::uint64_t end = std::min((range.offset / block + 1) * block, range.end());
  if (const std::uint64_t whole = end / kDirectAlignment * kDirectAlignment; whole > range.offset)
    end = whole;
  return {clip(range, end), piece.kind};
}

}  // namespace gptgrow
