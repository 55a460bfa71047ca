// SPDX-License-Identifier: BSD-3-Clause
// An NBD server in this process, that speaks well until a fuzzer's input tells it something else.
#pragma once

#include "core/nbd/server.h"
#include "tests/fuzz/require.h"

#include <atomic>
#include <cstring>
#include <thread>

#include <fuzzer/FuzzedDataProvider.h>
#include <sys/socket.h>
#include <unistd.h>

/// What the disk behind the server holds: runs of zeros and of bytes that tell their place.
struct Content {
  static constexpr std::size_t kPatternBytes = 65521;  // a prime: what is shifted by whole blocks is seen

  unsigned run_shift = 12;
  std::uint64_t zeros_from = UINT64_MAX;

  bool is_zero_run(std::uint64_t offset) const { return (offset >> run_shift & 3) == 1; }

  void read(std::uint64_t offset, std::span<std::byte> buffer) const
  {
    while (!buffer.empty()) {
      const std::uint64_t run_bytes = std::uint64_t{1} << run_shift;
      std::uint64_t size =
          std::min({run_bytes - offset % run_bytes, kPatternBytes - offset % kPatternBytes, buffer.size()});
      if (offset < zeros_from)
        size = std::min(size, zeros_from - offset);
      if (offset >= zeros_from || is_zero_run(offset))
        std::memset(buffer.data(), 0, size);
      else
        std::memcpy(buffer.data(), &pattern()[offset % kPatternBytes], size);
      buffer = buffer.subspan(size);
      offset += size;
    }
  }

  /// May say no where it is yes.
  bool is_zero(std::uint64_t first, std::uint64_t size) const
  {
    const bool is_one_run = size == 0 || first >> run_shift == (first + size - 1) >> run_shift;
    return first >= zeros_from || (is_one_run && is_zero_run(first));
  }

private:
  static const std::vector<std::byte>& pattern()
  {
    static const std::vector<std::byte> all = [] {
      std::vector<std::byte> bytes(kPatternBytes);
      for (std::size_t i = 0; i < bytes.size(); ++i)
        bytes[i] = static_cast<std::byte>((i * 31 + (i >> 8) * 7) | 1);
      return bytes;
    }();
    return all;
  }
};

struct ExportSays {
  std::uint64_t size_bytes = 0;
  std::uint16_t flags = 3;
  bool tells_blocks = false;
  std::uint32_t min_block = 1, preferred_block = 4096, max_block = 32 << 20;
  std::uint32_t kept_block = 1;  // what requests have to keep to, where that is known
};

/// In the byte order of the network.
class Message {
public:
  template <typename T>
  Message& put(T value)
  {
    for (std::size_t i = sizeof(T); i-- > 0;)
      bytes_.push_back(static_cast<std::byte>(static_cast<std::uint64_t>(value) >> (8 * i)));
    return *this;
  }
  Message& put(std::span<const std::byte> bytes)
  {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  std::span<const std::byte> bytes() const { return bytes_; }
  std::size_t size() const { return bytes_.size(); }

private:
  std::vector<std::byte> bytes_;
};

struct Gone {};

/// One connection, on its own thread.
class Session {
public:
  Session(int fd, std::span<const std::uint8_t> script, ExportSays says, Content content, std::atomic<bool>& lied,
          std::atomic<bool>& stop)
      : fd_(fd), script_(script.data(), script.size()), says_(says), content_(content), lied_(lied), stop_(stop)
  {
  }

  void run(bool is_first)
  {
    bool was_of_use = is_first;
    try {
      haggle();
      while (true) {
        answer();
        was_of_use = true;
      }
    } catch (const Gone&) {
    }
    // Who comes back in vain is told not to try for seconds.
    if (!was_of_use)
      stop_ = true;
    ::close(fd_);
  }

private:
  struct Request {
    std::uint16_t type;
    std::uint64_t cookie, offset;
    std::uint32_t size;
  };

  static constexpr std::uint64_t kOptionMagic = 0x49484156454F5054, kReplyMagic = 0x3e889045565a9;
  static constexpr std::uint32_t kAck = 1, kInfo = 3, kMetaContext = 4, kUnsupported = 0x80000001;
  static constexpr std::uint16_t kDone = 1, kNone = 0, kData = 1, kHole = 2, kStatus = 5, kError = 0x8001,
                                 kErrorOffset = 0x8002;

  std::vector<std::byte> receive(std::size_t size)
  {
    std::vector<std::byte> bytes(size);
    if (was_wrong_)
      throw Gone();
    if (size != 0 && ::recv(fd_, bytes.data(), size, MSG_WAITALL) != static_cast<ssize_t>(size))
      throw Gone();
    return bytes;
  }

  template <typename T>
  static T get(std::span<const std::byte> bytes, std::size_t at)
  {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i)
      value = value << 8 | std::to_integer<std::uint64_t>(bytes[at + i]);
    return static_cast<T>(value);
  }

  void send(const Message& message, std::size_t at_most = SIZE_MAX)
  {
    const std::size_t size = std::min(message.size(), at_most);
    if (size != 0 && ::send(fd_, message.bytes().data(), size, MSG_NOSIGNAL) != static_cast<ssize_t>(size))
      throw Gone();
    if (size < message.size())
      throw Gone();
  }

  /// A number that is `usual` unless the script says something else.
  template <typename T>
  T odd(T usual)
  {
    const auto how = script_.ConsumeIntegral<std::uint8_t>();
    return static_cast<T>(how < 244 ? usual : how < 252 ? usual + how - 248 : script_.ConsumeIntegral<T>());
  }

  /// The same, where the other side may wait for ever after.
  template <typename T>
  T perhaps_wrong(T right)
  {
    const T result = odd(right);
    was_wrong_ = was_wrong_ || result != right;
    return result;
  }

  bool rarely() { return script_.ConsumeIntegral<std::uint8_t>() > 248; }

  /// What cannot be foreseen comes next: nobody can tell what of it is true.
  void send_junk()
  {
    lied_ = was_wrong_ = true;
    const auto junk = script_.ConsumeBytes<char>(script_.ConsumeIntegral<std::uint8_t>());
    send(Message().put(std::as_bytes(std::span(junk))));
  }

  void reply(std::uint32_t option, std::uint32_t type, const Message& data)
  {
    const auto size = static_cast<std::uint32_t>(data.size());
    Message message;
    message.put(perhaps_wrong(kReplyMagic))
        .put(perhaps_wrong(option))
        .put(perhaps_wrong(type))
        .put(perhaps_wrong(size));
    send(message.put(data.bytes()));
  }

  void haggle()
  {
    Message hello;
    hello.put(perhaps_wrong(std::uint64_t{0x4e42444d41474943})).put(perhaps_wrong(kOptionMagic));
    send(hello.put(perhaps_wrong(std::uint16_t{3})));
    receive(4);
    while (true) {
      const auto head = receive(16);
      const auto option = get<std::uint32_t>(head, 8);
      const auto data = receive(get<std::uint32_t>(head, 12));
      if (rarely())
        send_junk();
      if (rarely()) {
        reply(option, kUnsupported + script_.ConsumeIntegralInRange<std::uint32_t>(0, 10), {});
        continue;
      }
      if (option == 7) {
        say_export(option);
        return;
      }
      if (option == 8)
        is_structured_ = true;
      if (option == 10)
        reply(option, kMetaContext,
              Message().put(std::uint32_t{5}).put(std::as_bytes(std::span("base:allocation", 15))));
      reply(option, option == 8 || option == 10 ? kAck : kUnsupported, {});
    }
  }

  void say_export(std::uint32_t option)
  {
    reply(option, kInfo, Message().put(std::uint16_t{0}).put(says_.size_bytes).put(says_.flags));
    if (says_.tells_blocks)
      reply(option, kInfo,
            Message().put(std::uint16_t{3}).put(says_.min_block).put(says_.preferred_block).put(says_.max_block));
    reply(option, kAck, {});
  }

  void answer()
  {
    const auto head = receive(28);
    const Request request{get<std::uint16_t>(head, 6), get<std::uint64_t>(head, 8), get<std::uint64_t>(head, 16),
                          get<std::uint32_t>(head, 24)};
    REQUIRE(get<std::uint32_t>(head, 0) == 0x25609513);
    if (request.type == 2)
      throw Gone();
    // What is asked for lies inside of the export, and keeps to its blocks.
    REQUIRE(request.size != 0 && request.offset <= says_.size_bytes &&
            request.size <= says_.size_bytes - request.offset);
    REQUIRE(request.offset % says_.kept_block == 0 && request.size % says_.kept_block == 0);
    REQUIRE(request.type == 0 || request.type == 7);
    if (rarely())
      send_junk();
    if (rarely())
      throw Gone();
    if (request.type == 7)
      tell_extents(request);
    else if (is_structured_)
      answer_in_chunks(request);
    else
      answer_simply(request);
  }

  std::vector<std::byte> bytes(std::uint64_t offset, std::uint64_t size) const
  {
    std::vector<std::byte> result(size);
    content_.read(offset, result);
    return result;
  }

  void answer_simply(const Request& request)
  {
    const std::uint32_t error = rarely() ? script_.ConsumeIntegral<std::uint32_t>() : 0;
    Message message;
    message.put(perhaps_wrong(std::uint32_t{0x67446698})).put(error).put(perhaps_wrong(request.cookie));
    if (was_wrong_)
      lied_ = true;
    if (error == 0)
      message.put(std::span<const std::byte>(bytes(request.offset, request.size)));
    send(message, rarely() ? script_.ConsumeIntegral<std::uint16_t>() : SIZE_MAX);
  }

  /// A length that is not that of what follows makes a liar of who says it: what comes after is taken for something else.
  void chunk(std::uint16_t flags, std::uint16_t type, std::uint64_t cookie, const Message& payload)
  {
    const auto told = perhaps_wrong(static_cast<std::uint32_t>(payload.size()));
    if (told != payload.size())
      lied_ = true;
    Message message;
    message.put(std::uint32_t{0x668e33ef}).put(flags).put(perhaps_wrong(type)).put(perhaps_wrong(cookie)).put(told);
    message.put(payload.bytes());
    send(message, rarely() ? script_.ConsumeIntegral<std::uint16_t>() : SIZE_MAX);
  }

  /// True bytes, in whichever parts, in whichever order, some of them twice and some never.
  void answer_in_chunks(const Request& request)
  {
    const auto how = script_.ConsumeIntegral<std::uint8_t>();
    const unsigned parts = how < 128 ? 1 : how < 250 ? how % 4 + 1 : 0;
    std::uint64_t next = request.offset, left = request.size;
    for (unsigned i = 0; i < parts; ++i) {
      const bool is_last = i + 1 == parts;
      const std::uint64_t size = is_last ? left : script_.ConsumeIntegralInRange<std::uint64_t>(0, left);
      const std::uint64_t offset = odd(next), told = odd(size);
      if (told > request.size + 512)
        throw Gone();
      next += size;
      left -= size;
      const bool is_done = is_last && !rarely();
      if (content_.is_zero(offset, told) && script_.ConsumeBool())
        chunk(is_done, kHole, request.cookie, Message().put(offset).put(static_cast<std::uint32_t>(told)));
      else
        chunk(is_done, kData, request.cookie,
              Message().put(offset).put(std::span<const std::byte>(bytes(offset, told))));
      if (is_last && !is_done)
        break;
      if (rarely()) {
        Message error;
        error.put(odd(std::uint32_t{5})).put(odd(std::uint16_t{0}));
        const bool has_place = script_.ConsumeBool();
        if (has_place)
          error.put(odd(request.offset));
        chunk(is_done, has_place ? kErrorOffset : kError, request.cookie, error);
      }
      if (is_done)
        return;
    }
    // The end of an answer, late, or never.
    if (rarely())
      throw Gone();
    chunk(kDone, kNone, request.cookie, {});
  }

  /// Of any lengths, but zeros are told only where there are zeros.
  void tell_extents(const Request& request)
  {
    const auto answers = script_.ConsumeIntegral<std::uint8_t>() > 240 ? 2 : 1;
    for (int i = 0; i < answers; ++i) {
      Message told;
      told.put(odd(std::uint32_t{5}));
      std::uint64_t at = request.offset;
      for (unsigned left = script_.ConsumeIntegralInRange<unsigned>(0, 6); left > 0; --left) {
        const auto how = script_.ConsumeIntegral<std::uint8_t>();
        const std::uint32_t size = how < 100   ? (std::uint32_t{1} << content_.run_shift)
                                   : how < 200 ? script_.ConsumeIntegral<std::uint16_t>()
                                               : script_.ConsumeIntegral<std::uint32_t>();
        const std::uint64_t there = std::min<std::uint64_t>(size, says_.size_bytes - std::min(at, says_.size_bytes));
        auto flags = script_.ConsumeIntegral<std::uint32_t>();
        if (at < says_.size_bytes && !content_.is_zero(at, there))
          flags &= ~std::uint32_t{2};
        told.put(size).put(flags);
        at += size;
      }
      if (told.size() == 4)
        told.put(request.size).put(std::uint32_t{0});
      if (rarely())
        told.put(odd(std::uint8_t{0}));
      chunk(i + 1 == answers ? kDone : std::uint16_t{0}, kStatus, request.cookie, told);
    }
  }

  int fd_;
  FuzzedDataProvider script_;
  ExportSays says_;
  Content content_;
  std::atomic<bool>&lied_, &stop_;
  bool is_structured_ = false, was_wrong_ = false;
};

class FakeServer : public gptgrow::nbd::Server {
public:
  FakeServer(std::vector<std::uint8_t> script, ExportSays says, Content content, bool comes_back,
             std::atomic<bool>& lied, std::atomic<bool>& stop)
      : script_(std::move(script)), says_(says), content_(content), comes_back_(comes_back), lied_(lied), stop_(stop)
  {
  }

  const std::string& name() const override { return name_; }
  bool can_come_back() const override { return comes_back_; }

  gptgrow::nbd::Connect connect(unsigned) const override
  {
    return [this](nbd_handle* handle) {
      int ends[2];
      REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
      // Each one reads the same script from another place on.
      const std::size_t skipped = std::min(sessions_.size() % 8 * 8, script_.size());
      sessions_.emplace_back([this, skipped, fd = ends[1], is_first = sessions_.empty()] {
        const auto script = std::span(script_).first(script_.size() - skipped);
        Session(fd, script, says_, content_, lied_, stop_).run(is_first);
      });
      return ::nbd_aio_connect_socket(handle, ends[0]);
    };
  }

private:
  std::string name_ = "server";
  std::vector<std::uint8_t> script_;
  ExportSays says_;
  Content content_;
  bool comes_back_;
  std::atomic<bool>&lied_, &stop_;
  mutable std::vector<std::jthread> sessions_;
};
