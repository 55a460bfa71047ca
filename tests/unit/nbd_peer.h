// SPDX-License-Identifier: BSD-3-Clause
// An NBD server in a thread of this program, that can be told to misbehave. The protocol's names, and its numbers, are those of
// https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md
#pragma once

#include "core/nbd/server.h"

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <boost/endian/conversion.hpp>
#include <sys/socket.h>
#include <unistd.h>

/// What it exports, and how.
struct NbdExport {
  std::vector<std::byte> disk = std::vector<std::byte>(1 << 20);
  bool takes_many = false;
  bool tells_extents = false;
  std::uint32_t smallest = 0, largest = 0;                    // block sizes; 0: it does not tell
  std::vector<std::pair<std::uint32_t, std::uint32_t>> runs;  // of any answer: size, and 3 for zeros

  /// An error of the protocol (5 is EIO), or one of these.
  static constexpr int kLoseConnection = -1, kSaySomethingShort = -2, kSayNothing = -3;
  std::function<int(std::uint64_t offset, std::uint32_t size)> on_read = [](std::uint64_t, std::uint32_t) { return 0; };
  std::function<int(std::uint64_t offset, std::uint32_t size)> on_extents = [](std::uint64_t, std::uint32_t) {
    return 0;
  };
};

/// One connection, until it ends.
class NbdPeer {
public:
  NbdPeer(int fd, const NbdExport& what) : fd_(fd), export_(what) {}

  void serve()
  {
    if (haggle())
      while (answer()) {}
    ::close(fd_);
  }

private:
  template <typename T>
  static void put(std::string& text, T value)
  {
    boost::endian::native_to_big_inplace(value);
    text.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }

  template <typename T>
  static T get(const std::string& text, std::size_t at)
  {
    return boost::endian::endian_load<T, sizeof(T), boost::endian::order::big>(
        reinterpret_cast<const unsigned char*>(text.data()) + at);
  }

  bool say(const std::string& text) const
  {
    for (std::size_t at = 0; at < text.size();) {
      const ssize_t count = ::send(fd_, text.data() + at, text.size() - at, MSG_NOSIGNAL);
      if (count <= 0)
        return false;
      at += static_cast<std::size_t>(count);
    }
    return true;
  }

  /// Empty: it has ended.
  std::string hear(std::size_t size) const
  {
    std::string text(size, '\0');
    return size != 0 && ::recv(fd_, text.data(), size, MSG_WAITALL) != static_cast<ssize_t>(size) ? "" : text;
  }

  bool reply(std::uint32_t option, std::uint32_t type, const std::string& data) const
  {
    std::string text;
    put<std::uint64_t>(text, 0x3e889045565a9);
    put(text, option);
    put(text, type);
    put(text, static_cast<std::uint32_t>(data.size()));
    return say(text + data);
  }

  bool haggle()
  {
    std::string greeting = "NBDMAGICIHAVEOPT";
    put<std::uint16_t>(greeting, 3);
    if (!say(greeting) || hear(4).empty())
      return false;
    while (true) {
      const std::string head = hear(16);
      if (head.empty())
        return false;
      const auto option = get<std::uint32_t>(head, 8);
      (void)hear(get<std::uint32_t>(head, 12));
      if (option == 7)  // GO
        return go();
      std::string context;
      put<std::uint32_t>(context, 1);
      if (option == 8 && export_.tells_extents)  // STRUCTURED_REPLY
        is_structured_ = reply(option, 1, "");
      else if (option == 10 && export_.tells_extents)  // SET_META_CONTEXT
        (void)(reply(option, 4, context + "base:allocation") && reply(option, 1, ""));
      else
        (void)reply(option, 0x80000001, "");
    }
  }

  bool go() const
  {
    std::string size, blocks;
    put<std::uint16_t>(size, 0);
    put<std::uint64_t>(size, export_.disk.size());
    put<std::uint16_t>(size, static_cast<std::uint16_t>(3 | (export_.takes_many ? 1 << 8 : 0)));
    put<std::uint16_t>(blocks, 3);
    put(blocks, export_.smallest);
    put(blocks, std::max<std::uint32_t>(export_.smallest, 4096));
    put(blocks, export_.largest);
    return reply(7, 3, size) && (export_.smallest == 0 || reply(7, 3, blocks)) && reply(7, 1, "");
  }

  bool answer() const
  {
    const std::string request = hear(28);
    if (request.empty())
      return false;
    const auto type = get<std::uint16_t>(request, 6);
    const std::string cookie = request.substr(8, 8);
    const auto offset = get<std::uint64_t>(request, 16);
    const auto size = get<std::uint32_t>(request, 24);
    if (type == 7)
      return tell_extents(cookie, export_.on_extents(offset, size));
    if (type != 0)
      return false;
    const int error = export_.on_read(offset, size);
    if (error == NbdExport::kSayNothing)
      return true;
    if (error == NbdExport::kLoseConnection)
      return false;
    const auto* const bytes = reinterpret_cast<const char*>(export_.disk.data()) + offset;
    if (is_structured_)
      return tell_bytes(cookie, error, offset, std::string(bytes, size));
    std::string text;
    put<std::uint32_t>(text, 0x67446698);
    put(text, static_cast<std::uint32_t>(error));
    return say(text + cookie + (error == 0 ? std::string(bytes, size) : ""));
  }

  bool chunk(const std::string& cookie, std::uint16_t type, const std::string& data, bool is_last) const
  {
    std::string text;
    put<std::uint32_t>(text, 0x668e33ef);
    put<std::uint16_t>(text, is_last ? 1 : 0);
    put(text, type);
    text += cookie;
    put(text, static_cast<std::uint32_t>(data.size()));
    return say(text + data);
  }

  bool fail(const std::string& cookie, int error) const
  {
    std::string data;
    put(data, static_cast<std::uint32_t>(error));
    put<std::uint16_t>(data, 0);
    return chunk(cookie, 0x8001, data, true);
  }

  /// In two parts, of which the second one may begin a byte too early.
  bool tell_bytes(const std::string& cookie, int error, std::uint64_t offset, const std::string& bytes) const
  {
    if (error > 0)
      return fail(cookie, error);
    const std::size_t half = bytes.size() / 2, second = half - (error == NbdExport::kSaySomethingShort ? 1 : 0);
    std::string first_part, second_part;
    put(first_part, offset);
    put(second_part, offset + second);
    return chunk(cookie, 1, first_part + bytes.substr(0, half), false) &&
           chunk(cookie, 1, second_part + bytes.substr(second, bytes.size() - half), true);
  }

  bool tell_extents(const std::string& cookie, int error) const
  {
    if (error == NbdExport::kLoseConnection)
      return false;
    if (error != 0)
      return fail(cookie, error);
    std::string data;
    put<std::uint32_t>(data, 1);
    for (const auto& [size, state] : export_.runs) {
      put(data, size);
      put(data, state);
    }
    return chunk(cookie, 5, data, true);
  }

  int fd_;
  NbdExport export_;
  bool is_structured_ = false;
};

/// Threads that serve, until whoever is served has gone.
class NbdThreads {
public:
  /// A socket that leads to a new one.
  int serve(const NbdExport& what)
  {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == -1)
      return -1;
    const std::lock_guard lock(mutex_);
    threads_.emplace_back([fd = ends[1], what] { NbdPeer(fd, what).serve(); });
    return ends[0];
  }

private:
  std::mutex mutex_;
  std::vector<std::jthread> threads_;
};

/// What it exports may be changed between two connections.
class PeerServer : public gptgrow::nbd::Server {
public:
  struct Shared {
    std::mutex mutex;
    NbdExport what;
    std::atomic<bool> can_come_back = true, answers = true;
    std::string last_words;
    std::atomic<int> starts = 0, stops = 0, connections = 0;
    NbdThreads threads;

    /// All that can be asked of it while it serves.
    void set(const std::function<void(NbdExport&)>& change)
    {
      const std::lock_guard lock(mutex);
      change(what);
    }
  };

  explicit PeerServer(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

  const std::string& name() const override { return name_; }
  void start() override { ++shared_->starts; }
  void stop() override { ++shared_->stops; }
  bool can_come_back() const override { return shared_->can_come_back; }
  std::string last_words() const override { return shared_->last_words; }
  gptgrow::nbd::Connect connect(unsigned) const override
  {
    return [this](nbd_handle* handle) {
      const std::lock_guard lock(shared_->mutex);
      ++shared_->connections;
      return shared_->answers ? ::nbd_aio_connect_socket(handle, shared_->threads.serve(shared_->what))
                              : ::nbd_aio_connect_unix(handle, "/nonexistent/socket");
    };
  }

private:
  std::shared_ptr<Shared> shared_;
  std::string name_ = "server";
};
