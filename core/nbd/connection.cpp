// SPDX-License-Identifier: BSD-3-Clause
#include "core/nbd/connection.h"

#include "core/error.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <new>
#include <system_error>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace gptgrow::nbd {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr auto kLookForStop = milliseconds(200);
constexpr std::uint32_t kLargestBlockBytes = 64 * 1024;  // the protocol's
constexpr std::uint32_t kLargestReadBytes = 1024 * 1024;
constexpr std::size_t kMaxRuns = 1 << 20;  // of one answer that are listened to

/// libnbd's last words on this thread, without the name of the function that said them.
std::string last_error()
{
  const char* const text = ::nbd_get_error();
  const std::string_view all = text ? text : "no reason is known";
  const std::size_t colon = all.find(": ");
  return std::string(all.starts_with("nbd_") && colon != all.npos ? all.substr(colon + 2) : all);
}

}  // namespace

Connection::Connection(const Connect& connect)
    : handle_(::nbd_create()), woken_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), heard_(Clock::now())
{
  if (!handle_)
    throw std::bad_alloc();
  // Only what a user types gets here, and that may name files with keys and certificates.
  if (woken_.get() == -1)
    why_ = std::generic_category().message(errno);
  else if (::nbd_set_uri_allow_local_file(handle_, true) == -1 ||
           ::nbd_add_meta_context(handle_, LIBNBD_CONTEXT_BASE_ALLOCATION) == -1 ||
           ::nbd_set_pread_initialize(handle_, false) == -1 || connect(handle_) == -1)
    why_ = last_error();
}

Connection::~Connection()
{
  ::nbd_close(handle_);
}

bool Connection::wait_until_ready(Clock::time_point deadline, const std::atomic<bool>* stop)
{
  while (why().empty() && !::nbd_aio_is_ready(handle_)) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
    if (left.count() <= 0 || (stop && *stop))
      end("it does not answer");
    else
      (void)listen_once(std::min(left, kLookForStop));
  }
  return why().empty();
}

Export Connection::read_export(const std::string& server) const
{
  const std::int64_t size = ::nbd_get_size(handle_);
  if (size < 0)
    refuse("{}: an export of no size that can be: {}", server, last_error());
  const std::int64_t block = std::max<std::int64_t>(::nbd_get_block_size(handle_, LIBNBD_SIZE_MINIMUM), 1);
  if (block > kLargestBlockBytes || !std::has_single_bit(static_cast<std::uint64_t>(block)))
    refuse("{}: a minimum block size of {} bytes, expected a power of 2 up to {}", server, block, kLargestBlockBytes);
  if (size % block != 0)
    refuse("{}: {} bytes, which is no multiple of its minimum block size, {} bytes", server, size, block);
  const std::int64_t largest = ::nbd_get_block_size(handle_, LIBNBD_SIZE_MAXIMUM);
  if (largest > 0 && largest < block)
    refuse("{}: a maximum block size of {} bytes, expected at least the minimum, {} bytes", server, largest, block);
  const std::int64_t at_once = largest > 0 ? std::min<std::int64_t>(largest, kLargestReadBytes) : kLargestReadBytes;
  return {.size_bytes = static_cast<std::uint64_t>(size),
          .block_bytes = static_cast<std::uint32_t>(block),
          .largest_read_bytes = static_cast<std::uint32_t>(at_once / block * block),
          .takes_many = ::nbd_can_multi_conn(handle_) == 1,
          .tells_extents = ::nbd_can_meta_context(handle_, LIBNBD_CONTEXT_BASE_ALLOCATION) == 1};
}

bool Connection::is_lost() const
{
  return ::nbd_aio_is_dead(handle_) || ::nbd_aio_is_closed(handle_);
}

std::string Connection::why() const
{
  const std::lock_guard lock(mutex_);
  return why_;
}

bool Connection::has_stalled() const
{
  const std::lock_guard lock(mutex_);
  return has_stalled_;
}

bool Connection::take_room(Request& request)
{
  const std::lock_guard lock(mutex_);
  if (count_ == kMaxRequests)
    return false;
  if (count_++ == 0)
    heard_ = Clock::now();
  request.connection_ = this;
  request.is_done_ = false;
  request.error_ = 0;
  return true;
}

bool Connection::start_read(Request& request, std::uint64_t offset, std::span<std::byte> buffer)
{
  if (!take_room(request))
    return false;
  request.next_byte_ = offset;
  request.end_ = offset + buffer.size();
  // An answer may come in parts. libnbd looks at their sum, not whether each byte is among them.
  const auto take = [](void* data, const void*, std::size_t count, std::uint64_t at, unsigned, int*) {
    auto& asked = *static_cast<Request*>(data);
    if (at == asked.next_byte_)
      asked.next_byte_ += count;
    return 0;
  };
  const auto done = [](void* data, int* error) {
    auto& asked = *static_cast<Request*>(data);
    asked.connection_->finish(asked, *error == 0 && asked.next_byte_ != asked.end_ ? EIO : *error);
    return 1;
  };
  has_started(request, ::nbd_aio_pread_structured(handle_, buffer.data(), buffer.size(), offset,
                                                  nbd_chunk_callback{take, &request, nullptr},
                                                  nbd_completion_callback{done, &request, nullptr}, 0));
  return true;
}

bool Connection::start_extents(Request& request, ByteRange range, std::vector<Run>& runs)
{
  if (!take_room(request))
    return false;
  request.runs_ = &runs;
  const auto take = [](void* data, const char* context, std::uint64_t, std::uint32_t* entries, std::size_t count,
                       int*) {
    auto& told = *static_cast<Request*>(data)->runs_;
    if (std::string_view(context) == LIBNBD_CONTEXT_BASE_ALLOCATION)
      for (std::size_t i = 0; i + 1 < count && told.size() < kMaxRuns; i += 2)
        told.push_back({entries[i], (entries[i + 1] & LIBNBD_STATE_ZERO) != 0});
    return 0;
  };
  const auto done = [](void* data, int* error) {
    auto& asked = *static_cast<Request*>(data);
    asked.connection_->finish(asked, *error);
    return 1;
  };
  has_started(request,
              ::nbd_aio_block_status(handle_, range.size, range.offset, nbd_extent_callback{take, &request, nullptr},
                                     nbd_completion_callback{done, &request, nullptr}, 0));
  return true;
}

void Connection::has_started(Request& request, std::int64_t cookie)
{
  // A request that could not be sent is taken all the same, and is lost with the connection.
  const bool has_ended = is_lost();
  if (has_ended) {
    const std::string error = last_error();
    const std::lock_guard lock(mutex_);
    if (why_.empty())
      why_ = error;
  }
  if (cookie == -1)
    finish(request, has_ended ? ENOTCONN : EIO);
  else if (::nbd_aio_get_direction(handle_) & LIBNBD_AIO_DIRECTION_WRITE)
    (void)::eventfd_write(woken_.get(), 1);
}

/// Called by libnbd, on whichever thread it is.
void Connection::finish(Request& request, int error)
{
  const std::lock_guard lock(mutex_);
  request.error_ = error;
  request.is_done_ = true;
  request.wake_.notify_one();
  --count_;
  room_.notify_one();
}

void Connection::wait(Request& request, const std::atomic<bool>* stop)
{
  std::unique_lock lock(mutex_);
  if (!request.is_done_) {
    waiting_.push_back(&request);
    while (!request.is_done_) {
      if (has_listener_) {
        request.wake_.wait(lock);
        continue;
      }
      has_listener_ = true;
      lock.unlock();
      listen(stop);
      lock.lock();
      has_listener_ = false;
    }
    std::erase(waiting_, &request);
  }
  // The next one listens.
  if (!has_listener_ && !waiting_.empty())
    waiting_.front()->wake_.notify_one();
}

void Connection::wait_for_room()
{
  std::unique_lock lock(mutex_);
  room_.wait(lock, [&] { return count_ < kMaxRequests; });
}

/// Once, for at most a moment; what has been silent for too long is ended.
void Connection::listen(const std::atomic<bool>* stop)
{
  const bool is_stopping = stop && *stop;
  const auto patience = is_stopping ? kStopping : kStalled;
  if (listen_once(kLookForStop) || is_lost())
    return;
  const auto silent = Clock::now() - heard_;
  if (silent >= patience)
    end(is_stopping ? "it did not answer, and the work was stopped"
                    : message("it did not answer for {} seconds", kStalled.count()));
}

/// Sends and receives what can be. False: nothing came.
bool Connection::listen_once(milliseconds at_most)
{
  const unsigned direction = ::nbd_aio_get_direction(handle_);
  pollfd ready[2] = {{::nbd_aio_get_fd(handle_), 0, 0}, {woken_.get(), POLLIN, 0}};
  if (direction & LIBNBD_AIO_DIRECTION_READ)
    ready[0].events |= POLLIN;
  if (direction & LIBNBD_AIO_DIRECTION_WRITE)
    ready[0].events |= POLLOUT;
  if (::poll(ready, 2, static_cast<int>(at_most.count())) <= 0)
    return false;
  if (ready[1].revents != 0) {
    eventfd_t count;
    (void)::eventfd_read(woken_.get(), &count);
  }
  const bool has_news = ready[0].revents != 0;
  int result = 0;
  if (ready[0].revents & (POLLIN | POLLHUP | POLLERR | POLLNVAL) && direction & LIBNBD_AIO_DIRECTION_READ)
    result = ::nbd_aio_notify_read(handle_);
  else if (has_news)
    result = ::nbd_aio_notify_write(handle_);
  const std::string error = result == -1 ? last_error() : "";
  const bool has_ended = is_lost();
  const std::lock_guard lock(mutex_);
  if (has_news)
    heard_ = Clock::now();
  if (why_.empty() && has_ended)
    why_ = error.empty() ? "it closed the connection" : error;
  return has_news;
}

/// Whoever waits for an answer gets none.
void Connection::end(const std::string& why)
{
  {
    const std::lock_guard lock(mutex_);
    why_ = why;
    has_stalled_ = true;
  }
  // libnbd sees the end of the connection, and lets go of all requests.
  (void)::shutdown(::nbd_aio_get_fd(handle_), SHUT_RDWR);
}

void Connection::close()
{
  if (::nbd_aio_is_ready(handle_))
    (void)::nbd_aio_disconnect(handle_, 0);
}

}  // namespace gptgrow::nbd
