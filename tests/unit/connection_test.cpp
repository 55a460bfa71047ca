// SPDX-License-Identifier: BSD-3-Clause
#include "core/nbd/connection.h"

#include "core/error.h"
#include "tests/unit/catch2.h"
#include "tests/unit/limit.h"
#include "tests/unit/nbd_peer.h"

#include <cerrno>
#include <deque>

using namespace gptgrow;

namespace {

using Steady = std::chrono::steady_clock;

/// A server, and one connection to it that is ready.
class Connected {
public:
  explicit Connected(const NbdExport& what)
      : connection([&](nbd_handle* handle) { return ::nbd_aio_connect_socket(handle, threads_.serve(what)); })
  {
    REQUIRE(connection.wait_until_ready(Steady::now() + nbd::kStalled, nullptr));
  }

  /// What became of it, and the bytes.
  std::pair<int, std::vector<std::byte>> read(std::uint64_t offset, std::size_t size)
  {
    std::vector<std::byte> bytes(size);
    nbd::Request request;
    REQUIRE(connection.start_read(request, offset, bytes));
    connection.wait(request, nullptr);
    return {request.error(), bytes};
  }

private:
  NbdThreads threads_;

public:
  nbd::Connection connection;
};

NbdExport numbered_export()
{
  NbdExport what;
  for (std::size_t i = 0; i < what.disk.size(); ++i)
    what.disk[i] = static_cast<std::byte>(i / 512 + i);
  return what;
}

std::string why_not(const nbd::Connect& connect, std::chrono::milliseconds patience, bool stops = false)
{
  const std::atomic<bool> stop = stops;
  nbd::Connection connection(connect);
  CHECK_FALSE(connection.wait_until_ready(Steady::now() + patience, &stop));
  return connection.why();
}

}  // namespace

TEST_CASE("Bytes are read, in one answer or in parts, and errors of the server are its own")
{
  NbdExport what = numbered_export();
  what.on_read = [](std::uint64_t offset, std::uint32_t) { return offset == 4096 ? 28 : 0; };  // ENOSPC
  for (const bool is_structured : {false, true}) {
    what.tells_extents = is_structured;
    Connected fixture(what);
    CHECK(fixture.connection.read_export("server").tells_extents == is_structured);
    const auto [error, bytes] = fixture.read(1000, 2000);
    CHECK(error == 0);
    CHECK(std::equal(bytes.begin(), bytes.end(), what.disk.begin() + 1000));
    CHECK(fixture.read(4096, 512).first == ENOSPC);
    CHECK(fixture.read(8192, 512).first == 0);
    CHECK_FALSE(fixture.connection.is_lost());
    CHECK(fixture.connection.why().empty());
  }
}

TEST_CASE("An answer in parts that lacks a byte, though their sum is right, is an error")
{
  NbdExport what = numbered_export();
  what.tells_extents = true;
  what.on_read = [](std::uint64_t, std::uint32_t) { return NbdExport::kSaySomethingShort; };
  Connected fixture(what);
  CHECK(fixture.read(0, 1000).first != 0);
}

TEST_CASE("What is a hole reads as zeros; what a server cannot tell is an error of that request alone")
{
  NbdExport what;
  what.tells_extents = true;
  what.runs = {{4096, 3}, {8192, 0}, {512, 2}, {512, 1}};
  what.on_extents = [](std::uint64_t offset, std::uint32_t) { return offset == 0 ? 0 : 5; };
  Connected fixture(what);
  std::vector<nbd::Run> runs;
  nbd::Request request;
  REQUIRE(fixture.connection.start_extents(request, {0, 13'312}, runs));
  fixture.connection.wait(request, nullptr);
  CHECK(request.error() == 0);
  REQUIRE(runs.size() == 4);
  CHECK(runs[0].size == 4096);
  CHECK(runs[0].reads_as_zeros);
  CHECK_FALSE(runs[1].reads_as_zeros);
  CHECK(runs[2].reads_as_zeros);
  CHECK_FALSE(runs[3].reads_as_zeros);  // a hole that may read as anything

  REQUIRE(fixture.connection.start_extents(request, {512, 512}, runs));
  fixture.connection.wait(request, nullptr);
  CHECK(request.error() == EIO);
  CHECK(fixture.read(0, 512).first == 0);
}

TEST_CASE("It is known why a connection is lost, and all that is on its way is lost with it")
{
  NbdExport what;
  what.on_read = [](std::uint64_t offset, std::uint32_t) {
    return offset == 512 ? NbdExport::kLoseConnection : NbdExport::kSayNothing;
  };
  Connected fixture(what);
  std::vector<std::byte> buffer(512);
  std::deque<nbd::Request> requests(3);
  for (nbd::Request& request : requests)
    REQUIRE(fixture.connection.start_read(request, 0, buffer));
  CHECK(fixture.read(512, 512).first == ENOTCONN);
  for (nbd::Request& request : requests) {
    fixture.connection.wait(request, nullptr);
    CHECK(request.error() == ENOTCONN);
  }
  CHECK(fixture.connection.is_lost());
  CHECK_FALSE(fixture.connection.why().empty());
  CHECK_FALSE(fixture.connection.has_stalled());
  // Also when a request cannot even be sent.
  CHECK(fixture.read(0, 512).first == ENOTCONN);
  CHECK_NOTHROW(fixture.connection.close());
}

TEST_CASE("No more requests than there is room for are on their way, and an answer makes room")
{
  std::atomic<bool> answers = false;
  NbdExport what;
  what.on_read = [&](std::uint64_t, std::uint32_t) {
    answers.wait(false);
    return 0;
  };
  Connected fixture(what);
  std::vector<std::byte> buffer(512);
  std::deque<nbd::Request> requests(nbd::kMaxRequests);
  for (nbd::Request& request : requests)
    REQUIRE(fixture.connection.start_read(request, 0, buffer));
  nbd::Request one_more;
  std::vector<nbd::Run> runs;
  CHECK_FALSE(fixture.connection.start_read(one_more, 0, buffer));
  CHECK_FALSE(fixture.connection.start_extents(one_more, {0, 512}, runs));
  // Of several that wait, one listens for all.
  std::vector<std::jthread> waiting;
  for (std::size_t i = 0; i < 4; ++i)
    waiting.emplace_back([&, i] { fixture.connection.wait(requests[i], nullptr); });
  answers = true;
  answers.notify_all();
  fixture.connection.wait_for_room();
  REQUIRE(fixture.connection.start_read(one_more, 0, buffer));
  fixture.connection.wait(one_more, nullptr);
  waiting.clear();
  for (nbd::Request& request : requests) {
    fixture.connection.wait(request, nullptr);
    CHECK(request.error() == 0);
  }
}

TEST_CASE("Once the work is to stop, a server that says nothing is not waited for long")
{
  NbdExport what;
  what.on_read = [](std::uint64_t, std::uint32_t) { return NbdExport::kSayNothing; };
  Connected fixture(what);
  std::vector<std::byte> buffer(512);
  nbd::Request request;
  REQUIRE(fixture.connection.start_read(request, 0, buffer));
  const std::atomic<bool> stop = true;
  const auto begin = Steady::now();
  fixture.connection.wait(request, &stop);
  CHECK(Steady::now() - begin >= nbd::kStopping);
  CHECK(request.error() == ENOTCONN);
  CHECK(fixture.connection.has_stalled());
  CHECK(fixture.connection.why() == "it did not answer, and the work was stopped");
}

TEST_CASE("Why a connection cannot be made")
{
  using std::chrono::milliseconds;
  std::vector<FileDescriptor> other_ends;
  const auto to_one_that_says = [&](std::string_view words) {
    return [&other_ends, words](nbd_handle* handle) {
      int ends[2];
      REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
      other_ends.emplace_back(ends[1]);
      REQUIRE(::write(ends[1], words.data(), words.size()) == static_cast<ssize_t>(words.size()));
      return ::nbd_aio_connect_socket(handle, ends[0]);
    };
  };
  CHECK(why_not(to_one_that_says(""), milliseconds(0)) == "it does not answer");
  CHECK(why_not(to_one_that_says(""), milliseconds(1)) == "it does not answer");
  CHECK(why_not(to_one_that_says("NBDMAGIC"), milliseconds(60'000), true) == "it does not answer");
  CHECK_THAT(why_not(to_one_that_says("SSH-2.0-OpenSSH_9.2p1\r\n"), milliseconds(60'000)),
             !ContainsSubstring("nbd_") && !ContainsSubstring("does not answer"));
  const auto nowhere = [](nbd_handle* handle) { return ::nbd_aio_connect_unix(handle, "/nonexistent/socket"); };
  CHECK_THAT(why_not(nowhere, milliseconds(60'000)), ContainsSubstring("No such file"));
  const auto no_uri = [](nbd_handle* handle) { return ::nbd_aio_connect_uri(handle, "nonsense"); };
  CHECK_FALSE(why_not(no_uri, milliseconds(60'000)).empty());
  const int lowest = ::dup(STDERR_FILENO);
  ::close(lowest);
  const Limit limit(RLIMIT_NOFILE, static_cast<rlim_t>(lowest));
  CHECK(why_not(nowhere, milliseconds(60'000)) == "Too many open files");
}

TEST_CASE("What a server says of its export is used, unless it cannot be")
{
  const auto told = [](std::size_t size, std::uint32_t smallest, std::uint32_t largest) {
    NbdExport what;
    what.disk.resize(size);
    what.smallest = smallest;
    what.largest = largest;
    return Connected(what).connection.read_export("server");
  };
  CHECK(told(1 << 20, 0, 0) == nbd::Export{.size_bytes = 1 << 20, .block_bytes = 1, .largest_read_bytes = 1 << 20});
  CHECK(told(1 << 20, 512, 1 << 25).largest_read_bytes == 1 << 20);
  CHECK(told(1 << 20, 4096, 8192) ==
        nbd::Export{.size_bytes = 1 << 20, .block_bytes = 4096, .largest_read_bytes = 8192});
  CHECK_THROWS_WITH(told((1 << 20) + 512, 4096, 1 << 25), ContainsSubstring("no multiple of its minimum block size"));
}
