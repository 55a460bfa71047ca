// SPDX-License-Identifier: BSD-3-Clause
#include "core/restore/async_file.h"

#include "core/source/file_descriptor.h"
#include "core/source/file_io.h"
#include "tests/unit/limit.h"
#include "tests/unit/loop_device.h"
#include "tests/unit/memory_source.h"
#include "tests/unit/temporary_file.h"

#include <boost/asio/co_spawn.hpp>

using namespace gptgrow;

namespace {

/// A file, read and written through the kernel's ring, or by calls that block.
class AsyncPair {
public:
  AsyncPair(const std::string& path, bool by_ring, int flags = O_RDWR)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC)), ring_(by_ring ? make_io_uring(fd_.get()) : nullptr)
  {
    has_ring = ring_ != nullptr;
    file_ = open_file(ring_.get(), fd_.get(), "disk");
  }

  bool has_ring = false;

  std::vector<std::byte> read(std::uint64_t offset, std::size_t size)
  {
    std::vector<std::byte> bytes(size);
    run(file_->read(offset, bytes));
    return bytes;
  }
  void write(std::uint64_t offset, std::span<const std::byte> bytes) { run(file_->write(offset, bytes)); }

  void run(boost::asio::awaitable<void> work)
  {
    boost::asio::io_context own;
    boost::asio::io_context& context = ring_ ? *ring_ : own;
    std::exception_ptr error;
    boost::asio::co_spawn(context, std::move(work), [&](std::exception_ptr thrown) { error = thrown; });
    context.run();
    context.restart();
    if (error)
      std::rethrow_exception(error);
  }

private:
  FileDescriptor fd_;
  std::unique_ptr<boost::asio::io_context> ring_;
  std::unique_ptr<AsyncFile> file_;
};

const std::vector<std::byte> kSomeBytes(5000, std::byte{'x'});

}  // namespace

TEST_CASE("All bytes of a request are moved, by a ring and without one")
{
  for (const bool by_ring : {true, false}) {
    const TemporaryFile file;
    AsyncPair pair(file.path(), by_ring);
    pair.write(777, kSomeBytes);
    pair.write(0, {});
    CHECK(pair.read(777, kSomeBytes.size()) == kSomeBytes);
    CHECK(pair.read(0, 777) == std::vector<std::byte>(777));
    CHECK(std::filesystem::file_size(file.path()) == 777 + kSomeBytes.size());
  }
}

TEST_CASE("A request that cannot be carried out tells the file and the byte")
{
  const TemporaryFile file;
  file.resize(1000);
  for (const bool by_ring : {true, false}) {
    CAPTURE(by_ring);
    AsyncPair pair(file.path(), by_ring);
    CHECK_THROWS_WITH(pair.read(600, 500), ContainsSubstring("disk: ends at byte 1000"));
    CHECK_THROWS_WITH(pair.read(2000, 1), ContainsSubstring("disk: ends at byte 2000"));
    AsyncPair reader(file.path(), by_ring, O_RDONLY), writer(file.path(), by_ring, O_WRONLY);
    CHECK_THROWS_WITH(reader.write(8, kSomeBytes), ContainsSubstring("disk: write at byte 8: Bad file descriptor"));
    CHECK_THROWS_WITH(writer.read(8, 1), ContainsSubstring("disk: read at byte 8: Bad file descriptor"));
  }
}

TEST_CASE("A write behind the end of a block device says that the device is gone")
{
  const TemporaryFile file;
  file.resize(1 << 20);
  const auto loop = LoopDevice::over(file.path());
  if (!loop)
    return;
  for (const bool by_ring : {true, false})
    CHECK_THROWS_WITH(AsyncPair(loop->path(), by_ring).write(1 << 20, kSomeBytes), ContainsSubstring("No such device"));
}

// UBSan itself takes a pipe to look at an exception.
#ifndef __SANITIZE_ADDRESS__
TEST_CASE("Where no descriptor is left there is no ring, and nothing is thrown")
{
  const TemporaryFile file;
  const FileDescriptor fd(::open(file.path().c_str(), O_RDWR | O_CLOEXEC));
  const Limit limit(RLIMIT_NOFILE, static_cast<rlim_t>(fd.get() + 1));
  CHECK(make_io_uring(fd.get()) == nullptr);
}
#endif

TEST_CASE("A source is read, and not written")
{
  const MemorySource source(kSomeBytes);
  const auto file = open_blocking(source);
  const TemporaryFile none;
  AsyncPair pair(none.path(), false);
  std::vector<std::byte> bytes(100);
  pair.run(file->read(10, bytes));
  CHECK(bytes == std::vector<std::byte>(100, std::byte{'x'}));
  CHECK_THROWS_WITH(pair.run(file->write(10, bytes)), ContainsSubstring("image: write at byte 10"));
}
