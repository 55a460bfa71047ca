// SPDX-License-Identifier: BSD-3-Clause
#include "core/nbd/nbd_source.h"

#include "tests/unit/catch2.h"
#include "tests/unit/nbd_peer.h"

#include <system_error>

using namespace gptgrow;

namespace {

/// A source, and what it is served by.
struct ServedSource {
  explicit ServedSource(const std::function<void(NbdExport&)>& change = [](NbdExport&) {})
  {
    for (std::size_t i = 0; i < shared->what.disk.size(); ++i)
      shared->what.disk[i] = static_cast<std::byte>(i / 512 + i);
    change(shared->what);
    disk = shared->what.disk;
    source = std::make_unique<nbd::NbdSource>(std::make_unique<PeerServer>(shared));
  }
  ~ServedSource() { source.reset(); }
  ServedSource(const ServedSource&) = delete;

  bool reads_right(ByteRange range) const
  {
    const auto expected = std::span(disk).subspan(range.offset, range.size);
    return std::ranges::equal(read_bytes(*source, range), expected);
  }

  std::shared_ptr<PeerServer::Shared> shared = std::make_shared<PeerServer::Shared>();
  std::vector<std::byte> disk;
  std::unique_ptr<nbd::NbdSource> source;
};

std::string what_is_thrown(auto call, int error = EIO)
{
  try {
    call();
  } catch (const std::system_error& e) {
    CHECK(e.code().value() == error);
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("Any bytes are read, whatever the blocks that a server takes, over one connection or several")
{
  for (const std::uint32_t block : {0U, 512U, 4096U})
    for (const bool takes_many : {false, true}) {
      CAPTURE(block, takes_many);
      const ServedSource served([&](NbdExport& what) {
        what.disk.resize(200'000 / 4096 * 4096);
        what.smallest = block;
        what.largest = 8192;
        what.takes_many = takes_many;
        what.on_read = [=](std::uint64_t offset, std::uint32_t size) {
          return block == 0 || (offset % block == 0 && size % block == 0 && size <= 8192) ? 0 : 22;
        };
      });
      CHECK(served.source->size_bytes() == served.disk.size());
      CHECK(served.source->name() == "server");
      for (const ByteRange range :
           {ByteRange{0, 1}, ByteRange{511, 2}, ByteRange{4096, 4096}, ByteRange{1000, 100'000},
            ByteRange{served.disk.size() - 100, 100}, ByteRange{0, served.disk.size()}, ByteRange{77, 0}})
        CHECK(served.reads_right(range));
    }
}

TEST_CASE("Many threads read at once")
{
  const ServedSource served([](NbdExport& what) { what.takes_many = true; });
  std::atomic<int> right = 0;
  {
    std::vector<std::jthread> readers;
    for (std::uint64_t i = 0; i < 6; ++i)
      readers.emplace_back([&, i] { right += served.reads_right({i * 1000, 500'000}) ? 1 : 0; });
  }
  CHECK(right == 6);
}

TEST_CASE("What the server says of a byte that it cannot read is passed on")
{
  const ServedSource served([](NbdExport& what) {
    what.on_read = [](std::uint64_t offset, std::uint32_t) { return offset >= 512 * 1024 ? 28 : 0; };
  });
  CHECK(served.reads_right({0, 4096}));
  CHECK_THAT(what_is_thrown(
                 [&] {
                   (void)served.reads_right({600'000, 512});
                 },
                 ENOSPC),
             ContainsSubstring("server: read at byte 600000: the server says"));
  CHECK(served.reads_right({4096, 4096}));
}

TEST_CASE("A connection that is lost is made anew, and what was asked for is asked again")
{
  std::atomic<int> losses = 2;
  const ServedSource served([&](NbdExport& what) {
    what.on_read = [&](std::uint64_t offset, std::uint32_t) {
      return offset >= 512 * 1024 && losses-- > 0 ? NbdExport::kLoseConnection : 0;
    };
  });
  CHECK(served.reads_right({600'000, 100'000}));
  CHECK(served.shared->connections == 3);
}

TEST_CASE("One that is lost again and again is given up, and so is one that cannot be had again")
{
  const auto lose = [](NbdExport& what) {
    what.tells_extents = true;
    what.on_read = [](std::uint64_t offset, std::uint32_t) {
      return offset >= 512 * 1024 ? NbdExport::kLoseConnection : 0;
    };
    what.on_extents = [](std::uint64_t, std::uint32_t) { return NbdExport::kLoseConnection; };
  };
  const ServedSource served(lose);
  CHECK_THAT(what_is_thrown([&] {
               (void)served.reads_right({600'000, 512});
             }),
             ContainsSubstring("server: read at byte 600000: the connection is lost again and again"));
  CHECK(served.shared->connections == static_cast<int>(1 + nbd::kMaxLost));
  CHECK_THAT(what_is_thrown([&] {
               (void)served.source->extent({0, 512});
             }),
             ContainsSubstring("server: extents at byte 0: the connection is lost again and again"));
  CHECK(served.reads_right({0, 512}));

  const ServedSource gone(lose);
  gone.shared->can_come_back = false;
  CHECK_THAT(what_is_thrown([&] {
               (void)gone.reads_right({600'000, 512});
             }),
             ContainsSubstring("the connection to it is lost"));
  CHECK_THAT(what_is_thrown([&] {
               (void)gone.source->extent({0, 512});
             }),
             ContainsSubstring("the connection to it is lost"));
}

TEST_CASE("A server that says nothing is not waited for once the work is to stop")
{
  const ServedSource served([](NbdExport& what) {
    what.tells_extents = true;
    what.on_read = [](std::uint64_t offset, std::uint32_t) {
      return offset >= 512 * 1024 ? NbdExport::kSayNothing : 0;
    };
  });
  const std::atomic<bool> stop = true;
  served.source->stop_waiting_when(&stop);
  CHECK_THAT(what_is_thrown([&] {
               (void)served.reads_right({600'000, 2 << 10});
             }),
             ContainsSubstring("the work was stopped"));
  CHECK_THAT(what_is_thrown([&] { (void)served.reads_right({0, 512}); }), ContainsSubstring("the work was stopped"));
  served.source->stop_waiting_when(nullptr);
  CHECK(served.reads_right({0, 512}));
}

TEST_CASE("Holes are as the server tells them; what it does not tell, or cannot be, is data")
{
  std::atomic<int> asked = 0;
  const auto count = [&](std::uint64_t, std::uint32_t) { return asked++ < 0 ? 1 : 0; };
  const ServedSource served([&](NbdExport& what) {
    what.tells_extents = true;
    what.runs = {{4096, 3}, {4096, 3}, {8192, 0}, {16'384, 0}};
    what.on_extents = count;
  });
  const auto check = [](const Extent& found, std::uint64_t size, bool hole) {
    CHECK(found.size == size);
    CHECK(found.hole == hole);
  };
  check(served.source->extent({0, 1 << 20}), 8192, true);
  check(served.source->extent({100, 1000}), 1000, true);
  check(served.source->extent({8192, 1 << 19}), 24'576, false);
  CHECK(asked == 1);
  check(served.source->extent({32'768, 1 << 19}), 8192, true);  // the server says the same of any place
  CHECK(asked == 2);
  check(served.source->extent({0, 512}), 512, true);
  CHECK(asked == 3);

  const auto of = [](std::vector<std::pair<std::uint32_t, std::uint32_t>> runs, int error = 0) {
    const ServedSource other([&](NbdExport& what) {
      what.tells_extents = true;
      what.smallest = 4096;  // it is asked from byte 0 on
      what.largest = 1 << 20;
      what.runs = std::move(runs);
      what.on_extents = [error](std::uint64_t, std::uint32_t) { return error; };
    });
    return other.source->extent({1000, 100'000});
  };
  check(of({}, 95), 100'000, false);
  check(of({{500, 3}}), 100'000, false);
  check(of({{1 << 19, 3}}), 100'000, true);
  check(of({{40'960, 0}, {8192, 3}, {1 << 19, 0}}), 39'960, false);
  const ServedSource silent;
  check(silent.source->extent({1000, 100'000}), 100'000, false);
}

TEST_CASE("Over a fork the server is left, and found again")
{
  const ServedSource served;
  served.source->before_fork();
  CHECK(served.shared->stops == 1);
  served.source->after_fork();
  CHECK(served.shared->starts == 2);
  CHECK(served.reads_right({1000, 1000}));
  served.source->before_fork();
  served.shared->set([](NbdExport& what) { what.disk[5] ^= std::byte{1}; });
  CHECK_THAT(what_is_thrown([&] { served.source->after_fork(); }),
             ContainsSubstring("it is another disk, or was changed"));
}
