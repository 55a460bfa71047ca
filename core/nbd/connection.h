// SPDX-License-Identifier: BSD-3-Clause
// One connection to an NBD server, with many requests on their way at once. It has no thread of its own: of those that wait
// for an answer, one listens for all.
#pragma once

#include "core/source/file_descriptor.h"
#include "core/units.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include <libnbd.h>

namespace gptgrow::nbd {

/// The server said nothing for so long, although it was asked.
inline constexpr std::chrono::seconds kStalled{60};

/// Once somebody wants to stop, no answer is waited for any longer than this.
inline constexpr std::chrono::seconds kStopping{1};

/// On their way at once, over one connection.
inline constexpr std::size_t kMaxRequests = 64;

/// Starts to connect a new handle: nbd_aio_connect_...(), whose result it returns.
using Connect = std::function<int(nbd_handle*)>;

/// What a server says of its export.
struct Export {
  std::uint64_t size_bytes = 0;
  std::uint32_t block_bytes = 1;         // what requests must be multiples of: a power of 2
  std::uint32_t largest_read_bytes = 0;  // a multiple of that
  bool takes_many = false;               // several connections see the same
  bool tells_extents = false;

  bool operator==(const Export&) const = default;
};

/// A run of bytes, as a server tells it.
struct Run {
  std::uint64_t size = 0;
  bool reads_as_zeros = false;
};

class Connection;

/// What was asked for. Its owner keeps it, and what it is to fill, until wait() has returned.
class Request {
public:
  /// 0; ENOTCONN: the connection ended before there was an answer; else what the server said, or EIO where that makes no sense.
  int error() const { return error_; }

private:
  friend class Connection;
  Connection* connection_ = nullptr;
  std::condition_variable wake_;
  std::vector<Run>* runs_ = nullptr;
  std::uint64_t next_byte_ = 0, end_ = 0;  // of a read
  bool is_done_ = false;
  int error_ = 0;
};

/// May be used by several threads at once.
class Connection {
public:
  /// Begins to connect.
  explicit Connection(const Connect& connect);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Until it is there, `deadline` has come, or `stop`, which may be null, is true. False: why() tells the reason.
  bool wait_until_ready(std::chrono::steady_clock::time_point deadline, const std::atomic<bool>* stop);

  /// Throws Error for what no honest server says. Precondition: it is ready.
  Export read_export(const std::string& server) const;

  /// Nothing can be asked any more.
  bool is_lost() const;

  /// What ended it, for messages.
  std::string why() const;

  /// It was there, and said nothing for kStalled.
  bool has_stalled() const;

  /// False: kMaxRequests are on their way already.
  bool start_read(Request& request, std::uint64_t offset, std::span<std::byte> buffer);
  bool start_extents(Request& request, ByteRange range, std::vector<Run>& runs);

  /// Until it has its answer, or none will come. `stop` may be null.
  void wait(Request& request, const std::atomic<bool>* stop);

  /// Until another request may be started.
  void wait_for_room();

  /// Says goodbye, and waits for no answer. No request may be on its way.
  void close();

private:
  bool take_room(Request& request);
  void has_started(Request& request, std::int64_t cookie);
  void finish(Request& request, int error);
  void listen(const std::atomic<bool>* stop);
  bool listen_once(std::chrono::milliseconds at_most);
  void end(const std::string& why);

  nbd_handle* handle_;
  FileDescriptor woken_;  // whoever listens has something to send

  mutable std::mutex mutex_;  // of everything below; never held while libnbd is called
  std::condition_variable room_;
  std::vector<Request*> waiting_;
  bool has_listener_ = false;
  std::size_t count_ = 0;
  std::chrono::steady_clock::time_point heard_;
  std::string why_;
  bool has_stalled_ = false;
};

}  // namespace gptgrow::nbd
