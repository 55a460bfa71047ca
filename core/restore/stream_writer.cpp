// SPDX-License-Identifier: BSD-3-Clause
#include "core/restore/stream_writer.h"

#include "core/source/file_io.h"
#include "core/target/chunk.h"

#include <boost/asio/post.hpp>

#include <algorithm>

namespace gptgrow {

namespace {

constexpr std::size_t kWriters = 4;
constexpr std::size_t kBuffers = 8;

}  // namespace

/// Taken once, for as long.
class StreamWriter::Buffers {
public:
  Buffers()
  {
    for (std::size_t i = 0; i < kBuffers; ++i)
      free_.push_back(memory_.get() + i * kChunkBytes);
  }

  // One is always free when fewer than kBuffers are on their way.
  std::byte* take()
  {
    const std::lock_guard lock(mutex_);
    std::byte* const buffer = free_.back();
    free_.pop_back();
    return buffer;
  }

  void give_back(std::byte* buffer)
  {
    const std::lock_guard lock(mutex_);
    free_.push_back(buffer);
  }

private:
  AlignedMemory memory_ = make_aligned(kBuffers * kChunkBytes);
  std::mutex mutex_;
  std::vector<std::byte*> free_;
};

StreamWriter::StreamWriter(DeviceTarget& target, bool is_new, const ProgressMap& map, Checkpoints& checkpoints,
                           Monitor& monitor)
    : target_(target),
      is_new_(is_new),
      map_(map),
      checkpoints_(checkpoints),
      monitor_(monitor),
      buffers_(std::make_unique<Buffers>()),
      pool_(kWriters)
{
}

StreamWriter::~StreamWriter()
{
  pool_.join();
}

std::span<std::byte> StreamWriter::buffer()
{
  if (!filled_) {
    wait_for_fewer_than(kBuffers);
    filled_ = buffers_->take();
  }
  return {filled_, kChunkBytes};
}

bool StreamWriter::write(ByteRange range, std::span<const std::byte> bytes)
{
  start([this, range, bytes, buffer = filled_] {
    const std::uint64_t sum = checksum(bytes);
    {
      const std::lock_guard lock(mutex_);
      checksums_.put(range.offset, sum);
    }
    if (!is_written(range) || !is_there(range, bytes))
      put(range, bytes);
    buffers_->give_back(buffer);
  });
  filled_ = nullptr;
  return false;
}

void StreamWriter::put(ByteRange range, std::span<const std::byte> bytes)
{
  const bool is_aligned = range.offset % kDirectAlignment == 0 && range.size % kDirectAlignment == 0;
  if (is_aligned && target_.direct_fd() != -1)
    write_fully(target_.direct_fd(), target_.name(), range.offset, bytes);
  else
    target_.write(range.offset, bytes);
  checkpoints_.add(range);
}

bool StreamWriter::is_there(ByteRange range, std::span<const std::byte> bytes) const
{
  const AlignedMemory found = make_aligned(kChunkBytes);
  target_.read(range.offset, {found.get(), range.size});
  return std::ranges::equal(std::span(found.get(), range.size), bytes);
}

void StreamWriter::zero(ByteRange range)
{
  if (is_written(range))
    return;
  wait_for_fewer_than(kBuffers);
  start([this, range] {
    if (!is_new_)
      target_.zero(range);
    checkpoints_.add(range);
  });
}

void StreamWriter::progress(std::uint64_t input_bytes, std::uint64_t disk_bytes)
{
  monitor_.done_bytes = input_bytes;
  monitor_.made_bytes = disk_bytes;
}

Checksums StreamWriter::finish()
{
  wait_for_fewer_than(1);
  return std::move(checksums_);
}

void StreamWriter::start(std::function<void()> work)
{
  {
    const std::lock_guard lock(mutex_);
    ++under_way_;
  }
  boost::asio::post(pool_, [this, work = std::move(work)] {
    std::exception_ptr error;
    try {
      work();
    } catch (...) {
      error = std::current_exception();
    }
    const std::lock_guard lock(mutex_);
    --under_way_;
    if (error && !error_)
      error_ = error;
    ended_.notify_one();
  });
}

void StreamWriter::wait_for_fewer_than(std::size_t count)
{
  std::unique_lock lock(mutex_);
  ended_.wait(lock, [&] { return under_way_ < count || error_; });
  if (error_)
    std::rethrow_exception(error_);
}

}  // namespace gptgrow
