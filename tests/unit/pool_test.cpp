// SPDX-License-Identifier: BSD-3-Clause
#include "core/nbd/pool.h"

#include "core/error.h"
#include "tests/unit/catch2.h"
#include "tests/unit/limit.h"
#include "tests/unit/nbd_peer.h"

#include <set>
#include <system_error>

using namespace gptgrow;

namespace {

std::shared_ptr<PeerServer::Shared> shared_server(bool takes_many)
{
  auto shared = std::make_shared<PeerServer::Shared>();
  shared->what.takes_many = takes_many;
  shared->what.disk[100] = std::byte{7};
  return shared;
}

/// Ends a connection, as its server would.
void lose(const std::shared_ptr<nbd::Connection>& connection)
{
  std::vector<std::byte> buffer(512);
  nbd::Request request;
  REQUIRE(connection->start_read(request, 1 << 19, buffer));
  connection->wait(request, nullptr);
  REQUIRE(connection->is_lost());
}

void lose_at_half(NbdExport& what)
{
  what.on_read = [](std::uint64_t offset, std::uint32_t) { return offset == 1 << 19 ? NbdExport::kLoseConnection : 0; };
}

std::string failure_of(auto call)
{
  try {
    call();
  } catch (const std::system_error& e) {
    CHECK(e.code() == std::errc::io_error);
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("There are as many connections as a server takes, and each has its turn")
{
  for (const bool takes_many : {false, true}) {
    const auto shared = shared_server(takes_many);
    nbd::Pool pool(std::make_unique<PeerServer>(shared));
    std::set<std::shared_ptr<nbd::Connection>> seen;
    for (unsigned i = 0; i < 2 * nbd::kMaxConnections; ++i)
      seen.insert(pool.pick());
    CHECK(shared->connections == (takes_many ? static_cast<int>(nbd::kMaxConnections) : 1));
    CHECK((seen.size() > 1) == takes_many);
    CHECK(pool.exported().size_bytes == 1 << 20);
    CHECK(pool.name() == "server");
    CHECK(shared->starts == 1);
  }
}

TEST_CASE("More connections than the first, that fail or lead elsewhere, are not used")
{
  class Odd : public PeerServer {
  public:
    using PeerServer::PeerServer;
    nbd::Connect connect(unsigned number) const override
    {
      if (number == 2)
        return [](nbd_handle* handle) { return ::nbd_aio_connect_unix(handle, "/nonexistent/socket"); };
      return [this, number, first = PeerServer::connect(number)](nbd_handle* handle) {
        NbdExport other;
        other.takes_many = true;
        other.disk.resize(512);
        return number == 1 ? ::nbd_aio_connect_socket(handle, threads_.serve(other)) : first(handle);
      };
    }

  private:
    mutable NbdThreads threads_;
  };
  nbd::Pool pool(std::make_unique<Odd>(shared_server(true)));
  std::set<std::shared_ptr<nbd::Connection>> seen;
  for (unsigned i = 0; i < 2 * nbd::kMaxConnections; ++i)
    seen.insert(pool.pick());
  CHECK(seen.size() <= 2);
  for (const auto& connection : seen)
    CHECK(connection->read_export("server") == pool.exported());
}

TEST_CASE("A server that cannot be reached is refused, in its own words if it has any")
{
  const auto shared = shared_server(false);
  shared->answers = false;
  CHECK_THROWS_WITH(nbd::Pool(std::make_unique<PeerServer>(shared)), ContainsSubstring("server: cannot connect: "));
  shared->last_words = "it is on fire";
  CHECK_THROWS_WITH(nbd::Pool(std::make_unique<PeerServer>(shared)), "server: it is on fire");
  shared->answers = true;
  shared->what.on_read = [](std::uint64_t, std::uint32_t) { return 28; };
  CHECK_THROWS_WITH(nbd::Pool(std::make_unique<PeerServer>(shared)),
                    ContainsSubstring("server: read at byte 0: the server says"));
  shared->what.on_read = [](std::uint64_t, std::uint32_t) { return NbdExport::kLoseConnection; };
  CHECK_THAT(failure_of([&] { nbd::Pool(std::make_unique<PeerServer>(shared)); }),
             ContainsSubstring("server: read at byte 0: "));
}

TEST_CASE("With one of several connections, those made with it go, and are made anew")
{
  const auto shared = shared_server(true);
  lose_at_half(shared->what);
  nbd::Pool pool(std::make_unique<PeerServer>(shared));
  const auto first = pool.pick();
  lose(first);
  CHECK(pool.pick() != first);  // it is not used any more
  const auto second = pool.pick();
  pool.drop_with(second);
  pool.drop_with(second);  // another one that waited on it
  const auto third = pool.pick();
  CHECK(third != second);
  CHECK_FALSE(third->is_lost());
  CHECK(shared->connections >= static_cast<int>(2 * nbd::kMaxConnections));
}

TEST_CASE("A server that is not what it was is not used")
{
  const auto changed = [](const std::function<void(NbdExport&)>& change) {
    const auto shared = shared_server(false);
    shared->what.smallest = 512;
    shared->what.largest = 65'536;
    lose_at_half(shared->what);
    nbd::Pool pool(std::make_unique<PeerServer>(shared));
    const auto connection = pool.pick();
    shared->set(change);
    lose(connection);
    return failure_of([&] { (void)pool.pick(); });
  };
  CHECK(changed([](NbdExport&) {}).empty());
  CHECK_THAT(changed([](NbdExport& what) { what.disk.resize(1 << 21); }),
             ContainsSubstring("it has 2097152 bytes, expected 1048576"));
  CHECK_THAT(changed([](NbdExport& what) { what.disk[100] = std::byte{8}; }),
             ContainsSubstring("its first 65536 bytes are others"));
  CHECK_THAT(changed([](NbdExport& what) { what.smallest = 1024; }),
             ContainsSubstring("it takes reads of 1024 to 65536 bytes"));
  CHECK_THAT(changed([](NbdExport& what) { what.largest = 4096; }),
             ContainsSubstring("it takes reads of 512 to 4096 bytes"));
  CHECK(changed([](NbdExport& what) { what.largest = 1 << 20; }).empty());
}

TEST_CASE("Of those that want a connection that cannot be had, all are told, and none once the work is to stop")
{
  const auto shared = shared_server(false);
  lose_at_half(shared->what);
  nbd::Pool pool(std::make_unique<PeerServer>(shared));
  const std::atomic<bool> stop = true;
  {
    const auto connection = pool.pick();
    shared->answers = false;
    lose(connection);
  }
  pool.stop_waiting_when(&stop);
  CHECK(pool.stop() == &stop);
  CHECK_THAT(failure_of([&] { (void)pool.pick(); }),
             ContainsSubstring("the connection is lost, and the work was stopped"));
  // It is asked to stop in the pause after its first try.
  std::atomic<bool> later = false;
  pool.stop_waiting_when(&later);
  const int before = shared->connections;
  std::vector<std::jthread> others;
  std::atomic<int> told = 0;
  for (int i = 0; i < 3; ++i)
    others.emplace_back([&] {
      try {
        (void)pool.pick();
      } catch (const std::system_error&) {
        ++told;
      }
    });
  while (shared->connections == before)
    std::this_thread::yield();
  later = true;
  others.clear();
  CHECK(told == 3);
  shared->answers = true;
  pool.stop_waiting_when(nullptr);
  CHECK_NOTHROW(pool.pick());
}

TEST_CASE("Where descriptors run out, connecting is refused, and works once there are some")
{
  const auto shared = shared_server(true);
  CHECK(for_each_lack_of_descriptors<std::exception>(
            [&] { const nbd::Pool pool(std::make_unique<PeerServer>(shared)); }) > 1);
}
