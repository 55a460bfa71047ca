// SPDX-License-Identifier: BSD-3-Clause
// The connections to one server: several where it allows that, and made anew where they are lost.
#pragma once

#include "core/nbd/server.h"

#include <exception>

namespace gptgrow::nbd {

/// A request that was lost with its connection is asked for again, this often.
inline constexpr unsigned kMaxLost = 4;

inline bool ends_connection(int error)
{
  return error == ENOTCONN || error == ESHUTDOWN;
}

/// Any thread may call pick(), drop_with(), fail() and what only tells; the others nobody beside them.
class Pool {
public:
  /// Connects. Throws Error where that fails.
  explicit Pool(std::unique_ptr<Server> server);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  const std::string& name() const { return server_->name(); }
  const Export& exported() const { return export_; }

  /// A connection that works. A lost one is made anew, a few times within seconds, and must then lead to what it led to
  /// before; std::system_error, EIO, where none can be had.
  std::shared_ptr<Connection> pick();

  /// A server that ended one connection has ended those that were made with it, too: they are not tried one by one.
  void drop_with(const std::shared_ptr<Connection>& lost);

  /// EIO, with the server's name.
  [[noreturn]] void fail(const std::string& what) const;

  /// Of Source::stop_waiting_when(); null: never.
  const std::atomic<bool>* stop() const { return stop_; }
  void stop_waiting_when(const std::atomic<bool>* stop) { stop_ = stop; }

  /// No request may be on its way.
  void close();

  /// After close(). Throws where it does not lead to what it led to before.
  void connect_again();

private:
  using Connections = std::vector<std::shared_ptr<Connection>>;

  Connections connect() const;
  std::vector<std::byte> beginning_by(Connection& connection) const;
  void check_is_same(Connection& connection) const;
  void reconnect();
  void pause(std::chrono::milliseconds time) const;

  std::unique_ptr<Server> server_;
  Export export_;
  std::vector<std::byte> beginning_;
  std::atomic<const std::atomic<bool>*> stop_ = nullptr;

  std::mutex mutex_;  // of these
  Connections connections_;
  std::size_t next_ = 0;
  bool has_failed_ = false;
  std::exception_ptr failure_;
  std::atomic<unsigned> attempts_ = 0;
};

}  // namespace gptgrow::nbd
