// SPDX-License-Identifier: BSD-3-Clause
#include "core/nbd/nbd_source.h"

#include "core/error.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <system_error>

namespace gptgrow::nbd {

namespace {

constexpr std::size_t kParts = 8;  // of one read, on their way at once
constexpr std::uint64_t kLearntBytes = std::uint64_t{1} << 30;

/// One call of read(): its parts, on their way over whichever connections there are.
class OneRead {
public:
  explicit OneRead(Pool& pool) : pool_(pool) {}
  OneRead(const OneRead&) = delete;

  /// libnbd still fills what was asked for.
  ~OneRead()
  {
    for (Part& part : parts_)
      part.connection->wait(part.request, pool_.stop());
  }

  void read(std::uint64_t offset, std::span<std::byte> buffer)
  {
    while (!buffer.empty() || !parts_.empty()) {
      const std::size_t size = std::min<std::size_t>(buffer.size(), pool_.exported().largest_read_bytes);
      if (size != 0 && parts_.size() < kParts && start(parts_.emplace_back(offset, buffer.first(size)))) {
        offset += size;
        buffer = buffer.subspan(size);
      } else {
        finish_first();
      }
    }
  }

private:
  struct Part {
    Part(std::uint64_t at, std::span<std::byte> where) : offset(at), bytes(where) {}

    std::uint64_t offset;
    std::span<std::byte> bytes;
    std::shared_ptr<Connection> connection;
    Request request;
  };

  /// False: there is no room, and other parts, which make some when they are finished, were started before.
  bool start(Part& part)
  try {
    const bool may_wait = parts_.size() == 1;
    if (start_now(part, may_wait))
      return true;
    parts_.pop_back();
    return false;
  } catch (...) {
    parts_.pop_back();
    throw;
  }

  bool start_now(Part& part, bool may_wait)
  {
    while (true) {
      part.connection = pool_.pick();
      if (part.connection->start_read(part.request, part.offset, part.bytes))
        return true;
      if (!may_wait)
        return false;
      part.connection->wait_for_room();
    }
  }

  void finish_first()
  {
    Part& part = parts_.front();
    for (unsigned lost = 0;; ++lost) {
      part.connection->wait(part.request, pool_.stop());
      const int error = part.request.error();
      if (error == 0)
        break;
      if (!ends_connection(error) && !part.connection->is_lost())
        throw std::system_error(error, std::generic_category(),
                                message("{}: read at byte {}: the server says", pool_.name(), part.offset));
      if (part.connection->has_stalled())
        pool_.fail(message("read at byte {}: {}", part.offset, part.connection->why()));
      pool_.drop_with(part.connection);
      if (lost == kMaxLost)
        pool_.fail(message("read at byte {}: the connection is lost again and again: {}", part.offset,
                           part.connection->why()));
      (void)start_now(part, true);
    }
    parts_.pop_front();
  }

  Pool& pool_;
  std::deque<Part> parts_;
};

}  // namespace

void NbdSource::read(std::uint64_t offset, std::span<std::byte> buffer) const
{
  const std::uint64_t block = pool_->exported().block_bytes;
  const std::uint64_t first = offset / block * block, end = (offset + buffer.size() + block - 1) / block * block;
  if (first == offset && end == offset + buffer.size()) {
    OneRead(*pool_).read(offset, buffer);
    return;
  }
  std::vector<std::byte> whole(end - first);
  OneRead(*pool_).read(first, whole);
  std::memcpy(buffer.data(), whole.data() + (offset - first), buffer.size());
}

std::vector<Run> NbdSource::ask_for_runs(ByteRange range) const
{
  for (unsigned lost = 0;; ++lost) {
    std::vector<Run> runs;
    Request request;
    const auto connection = pool_->pick();
    while (!connection->start_extents(request, range, runs))
      connection->wait_for_room();
    connection->wait(request, pool_->stop());
    if (request.error() == 0)
      return runs;
    if (!ends_connection(request.error()) && !connection->is_lost())
      return {};  // it cannot tell
    if (connection->has_stalled())
      pool_->fail(message("extents at byte {}: {}", range.offset, connection->why()));
    pool_->drop_with(connection);
    if (lost == kMaxLost)
      pool_->fail(
          message("extents at byte {}: the connection is lost again and again: {}", range.offset, connection->why()));
  }
}

/// What a server tells is clipped, and what it does not tell is data.
void NbdSource::learn_runs(std::uint64_t offset) const
{
  const ByteRange range =
      clip({offset / pool_->exported().block_bytes * pool_->exported().block_bytes, kLearntBytes}, size_bytes());
  const std::vector<Run> told = ask_for_runs(range);
  known_from_ = range.offset;
  known_.clear();
  std::uint64_t end = range.offset;
  for (const Run& run : told) {
    if (run.size == 0 || end == size_bytes())
      break;
    end += std::min(run.size, size_bytes() - end);
    if (!known_.empty() && known_.back().reads_as_zeros == run.reads_as_zeros)
      known_.back().end = end;
    else
      known_.push_back({end, run.reads_as_zeros});
  }
  if (end <= offset)
    known_.push_back({range.end(), false});
}

Extent NbdSource::extent(ByteRange range) const
{
  if (!pool_->exported().tells_extents)
    return {range.size, false};
  const std::lock_guard lock(known_mutex_);
  if (known_.empty() || range.offset < known_from_ || range.offset >= known_.back().end)
    learn_runs(range.offset);
  const auto run = std::ranges::upper_bound(known_, range.offset, {}, &Known::end);
  return {std::min(run->end, range.end()) - range.offset, run->reads_as_zeros};
}

}  // namespace gptgrow::nbd
