// SPDX-License-Identifier: BSD-3-Clause
#include "core/nbd/pool.h"

#include "core/error.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <thread>

namespace gptgrow::nbd {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::array kRetries{seconds(0), seconds(1), seconds(2), seconds(4)};
constexpr seconds kMoreConnections{1};  // a server may have promised more than it does
constexpr std::uint64_t kBeginningBytes = 64 * 1024;

}  // namespace

Pool::Pool(std::unique_ptr<Server> server) : server_(std::move(server))
{
  server_->start();
  connections_ = connect();
  export_ = connections_.front()->read_export(name());
  beginning_ = beginning_by(*connections_.front());
}

Pool::~Pool()
{
  close();
}

void Pool::close()
{
  for (const auto& connection : connections_)
    connection->close();
  connections_.clear();
  server_->stop();
}

void Pool::connect_again()
{
  server_->start();
  connections_ = connect();
  check_is_same(*connections_.front());
}

/// At least one.
Pool::Connections Pool::connect() const
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

void Pool::fail(const std::string& what) const
{
  throw std::system_error(EIO, std::generic_category(), message("{}: {}", name(), what));
}

/// Before anybody else uses the connection.
std::vector<std::byte> Pool::beginning_by(Connection& connection) const
{
  std::vector<std::byte> bytes(std::min(kBeginningBytes, export_.size_bytes));
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
void Pool::check_is_same(Connection& connection) const
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
void Pool::reconnect()
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

void Pool::pause(milliseconds time) const
{
  const std::atomic<bool>* const stop = stop_;
  for (constexpr milliseconds kStep{100}; time.count() > 0 && !(stop && *stop); time -= kStep)
    std::this_thread::sleep_for(kStep);
}

std::shared_ptr<Connection> Pool::pick()
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

void Pool::drop_with(const std::shared_ptr<Connection>& lost)
{
  const std::lock_guard lock(mutex_);
  if (std::ranges::find(connections_, lost) != connections_.end())
    connections_.clear();
}

}  // namespace gptgrow::nbd
