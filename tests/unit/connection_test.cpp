// SPDX-License-Identifier: BSD-3-Clause
#include "core/nbd/connection.h"
#include "tests/unit/catch2.h"

#include <string_view>
#include <thread>

#include <sys/socket.h>
#include <unistd.h>

using namespace gptgrow;

namespace {

/// Answers what libnbd asks until it asks for the export, of 1 MiB; then it is gone.
void haggle_and_go(int fd)
{
  using namespace std::string_view_literals;
  const auto say = [&](std::string_view bytes) { (void)::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL); };
  const auto hear = [&](std::size_t size) {
    std::string bytes(size, '\0');
    if (size != 0)
      (void)::recv(fd, bytes.data(), size, MSG_WAITALL);
    return bytes;
  };
  const auto reply = [&](char option, std::string_view type, std::string_view data) {
    say("\0\3\xe8\x89\4\x55\x65\xa9\0\0\0"sv);
    say({&option, 1});
    say(type);
    say("\0\0\0"sv);
    const char size = static_cast<char>(data.size());
    say({&size, 1});
    say(data);
  };
  say("NBDMAGICIHAVEOPT\0\3"sv);
  (void)hear(4);
  for (char option = 0; option != 7;) {
    const std::string head = hear(16);
    option = head[11];
    (void)hear(static_cast<unsigned char>(head[15]));
    if (option != 7)
      reply(option, "\x80\0\0\1"sv, "");
  }
  reply(7, "\0\0\0\3"sv, "\0\0\0\0\0\0\0\x10\0\0\0\3"sv);
  reply(7, "\0\0\0\1"sv, "");
  ::close(fd);
}

}  // namespace

TEST_CASE("It is known why a connection is lost, also when a request cannot even be sent")
{
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  std::jthread server(haggle_and_go, ends[1]);
  nbd::Connection connection([&](nbd_handle* handle) { return ::nbd_aio_connect_socket(handle, ends[0]); });
  REQUIRE(connection.wait_until_ready(std::chrono::steady_clock::now() + nbd::kStalled, nullptr));
  CHECK(connection.read_export("server").size_bytes == 1 << 20);
  server.join();
  std::vector<std::byte> buffer(512);
  nbd::Request request;
  REQUIRE(connection.start_read(request, 0, buffer));
  connection.wait(request, nullptr);
  CHECK(request.error() == ENOTCONN);
  CHECK(connection.is_lost());
  CHECK(connection.why() != "");
}
