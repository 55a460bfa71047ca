// SPDX-License-Identifier: BSD-3-Clause
#include "core/restore/transfer.h"

#include "core/restore/async_file.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>

#include <algorithm>
#include <cstring>
#include <exception>
#include <mutex>

namespace gptgrow {

namespace {

namespace asio = boost::asio;

constexpr std::size_t kSlots = 8;

bool is_aligned(ByteRange range)
{
  return range.offset % kDirectAlignment == 0 && range.size % kDirectAlignment == 0;
}

}  // namespace

class Transfer::State {
public:
  /// The files and the memory of one chunk in flight.
  struct Slot {
    std::unique_ptr<AsyncFile> image;     // or, where that is in no file, the disk
    std::unique_ptr<AsyncFile> direct;    // the target, for aligned chunks
    std::unique_ptr<AsyncFile> buffered;  // the target, for the others
    AlignedMemory first = make_aligned(kChunkBytes);
    AlignedMemory second = make_aligned(kChunkBytes);

    AsyncFile& target(ByteRange range) { return direct && is_aligned(range) ? *direct : *buffered; }
  };

  State(const Disk& disk, const DirectSource& target, Engine best)
      : disk_(disk),
        image_(disk.image().file_range({0, disk.image().size_bytes()})),
        context_(!image_ || target.direct_fd() == -1 || best == Engine::threads ? nullptr
                                                                                : make_io_uring(target.direct_fd())),
        slots_(kSlots)
  {
    for (Slot& slot : slots_) {
      slot.image = image_ ? open_file(context_.get(), image_->fd, disk_.name()) : open_blocking(disk_);
      if (target.direct_fd() != -1)
        slot.direct = open_file(context_.get(), target.direct_fd(), target.name());
      slot.buffered = open_file(nullptr, target.fd(), target.name());
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
      co_await slot.image->read(offset_in_image(range), buffer);
      if (!is_zero(buffer) || !zero(range))
        co_await slot.target(range).write(range.offset, buffer);
      give_back(*chunk);
    }
  }

  asio::awaitable<void> compare_chunks(Slot& slot, const Checksums* checksums)
  {
    while (const std::optional<Piece> chunk = take()) {
      const ByteRange range = chunk->range;
      const std::span found(slot.first.get(), range.size), expected(slot.second.get(), range.size);
      co_await slot.target(range).read(range.offset, found);
      bool same = false;
      if (const auto known = checksums && chunk->is_data() ? checksums->are_same(range.offset, found) : std::nullopt) {
        same = *known;
        if (!same)
          differs(range.offset);
        give_back(*chunk);
        continue;
      }
      if (chunk->is_data()) {
        co_await slot.image->read(offset_in_image(range), expected);
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
  std::uint64_t offset_in_image(ByteRange range) const
  {
    return image_ ? disk_.file_range(range).value().offset : range.offset;
  }

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
  std::optional<FileRange> image_;
  std::unique_ptr<asio::io_context> context_;  // none: threads
  std::vector<Slot> slots_;

  std::mutex mutex_;  // of everything below
  const Next* next_ = nullptr;
  const Done* done_ = nullptr;
  bool ended_ = false;
  std::exception_ptr error_;
  std::optional<std::uint64_t> first_difference_;
};

Transfer::Transfer(const Disk& disk, const DirectSource& target, Engine best)
    : state_(std::make_unique<State>(disk, target, best))
{
}

Transfer::~Transfer() = default;

void Transfer::copy(const Next& next, const std::function<bool(ByteRange)>& zero, const Done& done)
{
  state_->run(next, done, [&](State::Slot& slot) { return state_->copy_chunks(slot, zero); });
}

std::optional<std::uint64_t> Transfer::compare(const Next& next, const Done& done, const Checksums* checksums)
{
  state_->run(next, done, [&](State::Slot& slot) { return state_->compare_chunks(slot, checksums); });
  return state_->first_difference();
}

}  // namespace gptgrow
