// SPDX-License-Identifier: BSD-3-Clause
#include "core/nbd/nbd_source.h"

#include "core/error.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <system_error>
#include <thread>

namespace gptgrow::nbd {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::array kRetries{seconds(0), seconds(1), seconds(2), seconds(4)};
constexpr seconds kMoreConnections{1};  // a server may have promised more than it does
constexpr std::size_t kParts = 8;       // of one read, on their way at once
constexpr std::uint64_t kBeginningBytes = 64 * 1024;
constexpr std::uint64_t kLearntBytes = std::uint64_t{1} << 30;

bool ends_connection(int error)
{
  return error == ENOTCONN || error == ESHUTDOWN;
}

}  // namespace

/// One call of read(): its parts, on their way over whichever connections there are.
class NbdSource::OneRead {
public:
  explicit OneRead(const NbdSource& source) : source_(source) {}
  OneRead(const OneRead&) = delete;

  /// libnbd still fills what was asked for.
  ~OneRead()
  {
    for (Part& part : parts_)
      part.connection->wait(part.request, source_.stop_);
  }

  void read(std::uint64_t offset, std::span<std::byte> buffer)
  {
    while (!buffer.empty() || !parts_.empty()) {
      const std::size_t size = std::min<std::size_t>(buffer.size(), source_.export_.largest_read_bytes);
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
      part.connection = source_.pick();
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
      part.connection->wait(part.request, source_.stop_);
      const int error = part.request.error();
      if (error == 0)
        break;
      if (!ends_connection(error) && !part.connection->is_lost())
        throw std::system_error(error, std::generic_category(),
                                message("{}: read at byte {}: the server says", source_.name(), part.offset));
      if (part.connection->has_stalled())
        source_.fail(message("read at byte {}: {}", part.offset, part.connection->why()));
      source_.drop_with(part.connection);
      if (lost == kRetries.size())
        source_.fail(message("read at byte {}: the connection is lost again and again: {}", part.offset,
                             part.connection->why()));
      (void)start_now(part, true);
    }
    parts_.pop_front();
  }

  const NbdSource& source_;
  std::deque<Part> parts_;
};

NbdSource::NbdSource(std::unique_ptr<Server> server) : server_(std::move(server))
{
  server_->start();
  connections_ = connect();
  export_ = connections_.front()->read_export(name());
  beginning_ = beginning_by(*connections_.front());
}

NbdSource::~NbdSource()
{
  close();
}

void NbdSource::close() const
{
  for (const auto& connection : connections_)
    connection->close();
  connections_.clear();
  server_->stop();
}

void NbdSource::before_fork() const
{
  close();
}

void NbdSource::after_fork() const
{
  server_->start();
  connections_ = connect();
  check_is_same(*connections_.front());
}

/// At least one.
NbdSource::Connections NbdSource::connect() const
{
  const auto first = std::make_shared<Connection>(server_->connect(0));
  if (!first->wait_until_ready(Clock::now() + kStalled, stop_)) {
    const std::string said = server_->last_words();
    refuse("{}: {}{}", name(), said.empty() ? "cannot connect: " : "", said.empty() ? first->why() : said);
  }
  Connections all{first};
  if (!first->read_export(name()).takes_many)
    return all;
  for (unsigned number = 1; number < kMaxConnections; ++number)
    all.push_back(std::make_shared<Connection>(server_->connect(number)));
  const auto deadline = Clock::now() + kMoreConnections;
  const auto is_useless = [&](const std::shared_ptr<Connection>& connection) {
    return connection != first && !(connection->wait_until_ready(deadline, stop_) &&
                                    connection->read_export(name()) == first->read_export(name()));
  };
  std::erase_if(all, is_useless);
  return all;
}

void NbdSource::fail(const std::string& what) const
{
  throw std::system_error(EIO, std::generic_category(), message("{}: {}", name(), what));
}

/// Before anybody else uses the connection.
std::vector<std::byte> NbdSource::beginning_by(Connection& connection) const
{
  std::vector<std::byte> bytes(std::min(kBeginningBytes, size_bytes()));
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t size = std::min<std::size_t>(bytes.size() - at, export_.largest_read_bytes);
    Request request;
    (void)connection.start_read(request, at, std::span(bytes).subspan(at, size));
    connection.wait(request, stop_);
    if (request.error() != 0)
      throw std::system_error(
          ends_connection(request.error()) ? EIO : request.error(), std::generic_category(),
          message("{}: read at byte {}: {}", name(), at, connection.is_lost() ? connection.why() : "the server says"));
    at += size;
  }
  return bytes;
}

/// What a reader was promised still holds.
void NbdSource::check_is_same(Connection& connection) const
{
  const Export now = connection.read_export(name());
  if (now.size_bytes != export_.size_bytes)
    fail(message("connected again, it has {} bytes, expected {} as before", now.size_bytes, export_.size_bytes));
  if (now.block_bytes > export_.block_bytes || now.largest_read_bytes < export_.largest_read_bytes)
    fail(message("connected again, it takes reads of {} to {} bytes, expected {} to {} as before", now.block_bytes,
                 now.largest_read_bytes, export_.block_bytes, export_.largest_read_bytes));
  if (beginning_by(connection) != beginning_)
    fail(message("connected again, its first {} bytes are others: it is another disk, or was changed",
                 beginning_.size()));
}

/// A few times, with growing pauses; once where that was in vain before.
void NbdSource::reconnect() const
{
  std::string why;
  for (const seconds time : kRetries) {
    pause(time);
    try {
      Connections all = connect();
      check_is_same(*all.front());
      connections_ = std::move(all);
      return;
    } catch (const Error& e) {
      why = e.what();
    }
    if (has_failed_ || (stop_ && *stop_))
      break;
  }
  has_failed_ = true;
  throw std::system_error(EIO, std::generic_category(), why);
}

void NbdSource::pause(milliseconds time) const
{
  const std::atomic<bool>* const stop = stop_;
  for (constexpr milliseconds kStep{100}; time.count() > 0 && !(stop && *stop); time -= kStep)
    std::this_thread::sleep_for(kStep);
}

/// One that works. Throws EIO where none can be had.
std::shared_ptr<Connection> NbdSource::pick() const
{
  const unsigned attempts = attempts_;
  const std::lock_guard lock(mutex_);
  std::erase_if(connections_, [](const auto& connection) { return connection->is_lost(); });
  if (connections_.empty()) {
    if (!server_->can_come_back())
      fail("the connection to it is lost");
    if (const std::atomic<bool>* const stop = stop_; stop && *stop)
      fail("the connection is lost, and the work was stopped");
    // Others waited for the same, in vain.
    if (attempts != attempts_)
      std::rethrow_exception(failure_);
    try {
      reconnect();
    } catch (...) {
      failure_ = std::current_exception();
      ++attempts_;
      throw;
    }
    has_failed_ = false;
  }
  return connections_[next_++ % connections_.size()];
}

/// A server that ended one connection has ended those that were made with it, too: they are not tried one by one.
void NbdSource::drop_with(const std::shared_ptr<Connection>& lost) const
{
  const std::lock_guard lock(mutex_);
  if (std::ranges::find(connections_, lost) != connections_.end())
    connections_.clear();
}

void NbdSource::read(std::uint64_t offset, std::span<std::byte> buffer) const
{
  const std::uint64_t block = export_.block_bytes;
  const std::uint64_t first = offset / block * block, end = (offset + buffer.size() + block - 1) / block * block;
  if (first == offset && end == offset + buffer.size()) {
    OneRead(*this).read(offset, buffer);
    return;
  }
  std::vector<std::byte> whole(end - first);
  OneRead(*this).read(first, whole);
  std::memcpy(buffer.data(), whole.data() + (offset - first), buffer.size());
}

std::vector<Run> NbdSource::ask_for_runs(ByteRange range) const
{
  for (unsigned lost = 0;; ++lost) {
    std::vector<Run> runs;
    Request request;
    const auto connection = pick();
    while (!connection->start_extents(request, range, runs))
      connection->wait_for_room();
    connection->wait(request, stop_);
    if (request.error() == 0)
      return runs;
    if (!ends_connection(request.error()) && !connection->is_lost())
      return {};  // it cannot tell
    if (connection->has_stalled())
      fail(message("extents at byte {}: {}", range.offset, connection->why()));
    drop_with(connection);
    if (lost == kRetries.size())
      fail(message("extents at byte {}: the connection is lost again and again: {}", range.offset, connection->why()));
  }
}

/// What a server tells is clipped, and what it does not tell is data.
void NbdSource::learn_runs(std::uint64_t offset) const
{
  const ByteRange range = clip({offset / export_.block_bytes * export_.block_bytes, kLearntBytes}, size_bytes());
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
  if (!export_.tells_extents)
    return {range.size, false};
  const std::lock_guard lock(known_mutex_);
  if (known_.empty() || range.offset < known_from_ || range.offset >= known_.back().end)
    learn_runs(range.offset);
  const auto run = std::ranges::upper_bound(known_, range.offset, {}, &Known::end);
  return {std::min(run->end, range.end()) - range.offset, run->reads_as_zeros};
}

}  // namespace gptgrow::nbd
