// SPDX-License-Identifier: BSD-3-Clause
#include "core/source/file_io.h"

#include "core/source/file_descriptor.h"
#include "tests/unit/catch2.h"
#include "tests/unit/limit.h"
#include "tests/unit/loop_device.h"
#include "tests/unit/temporary_file.h"

#include <vector>

using namespace gptgrow;

namespace {

struct OpenedFile {
  TemporaryFile file;
  FileDescriptor fd{::open(file.path().c_str(), O_RDWR | O_CLOEXEC)};

  std::vector<std::byte> read(std::uint64_t offset, std::size_t size) const
  {
    std::vector<std::byte> bytes(size);
    read_fully(fd.get(), file.path(), offset, bytes);
    return bytes;
  }
};

std::vector<std::byte> repeated(char c, std::size_t size)
{
  return std::vector<std::byte>(size, static_cast<std::byte>(c));
}

}  // namespace

TEST_CASE("Bytes are written and read at a place, all of them")
{
  const OpenedFile open;
  write_fully(open.fd.get(), open.file.path(), 5000, repeated('x', 300));
  write_fully(open.fd.get(), open.file.path(), 9000, {});
  CHECK(open.read(5000, 300) == repeated('x', 300));
  CHECK(open.read(4000, 1000) == repeated('\0', 1000));
  std::vector<std::byte> buffer(1000);
  CHECK(read_some(open.fd.get(), open.file.path(), 5100, buffer) == 200);
  CHECK(read_some(open.fd.get(), open.file.path(), 5300, buffer) == 0);
}

TEST_CASE("The end of a file in the middle of what is read is an error, and its place is told")
{
  const OpenedFile open;
  open.file.resize(1000);
  try {
    (void)open.read(600, 500);
    FAIL("read");
  } catch (const IoError& e) {
    CHECK(e.code() == std::errc::io_error);
    CHECK(e.path() == open.file.path());
    CHECK_THAT(e.what(), ContainsSubstring(open.file.path() + ": ends at byte 1000"));
  }
}

TEST_CASE("What fails is told with the byte where it failed, also after a part of it was written")
{
  const OpenedFile open;
  const FileDescriptor reads(::open(open.file.path().c_str(), O_RDONLY | O_CLOEXEC));
  const FileDescriptor writes(::open(open.file.path().c_str(), O_WRONLY | O_CLOEXEC));
  CHECK_THROWS_WITH(write_fully(reads.get(), "disk", 7, repeated('x', 1)),
                    ContainsSubstring("disk: write at byte 7: Bad"));
  std::vector<std::byte> buffer(1);
  CHECK_THROWS_WITH(read_some(writes.get(), "disk", 8, buffer), ContainsSubstring("disk: read at byte 8: Bad"));

  const FileSizeLimit limit(4096);
  CHECK_THROWS_WITH(write_fully(open.fd.get(), "disk", 1000, repeated('x', 8192)),
                    ContainsSubstring("disk: write at byte 4096: File too large"));
  CHECK(open.read(1000, 3096) == repeated('x', 3096));
}

TEST_CASE("A block device that has no room for a byte is gone; a file system that has none is full")
{
  const OpenedFile open;
  open.file.resize(1 << 20);
  CHECK(error_to_say(ENOSPC, open.fd.get(), 1 << 20) == ENOSPC);
  CHECK(error_to_say(EIO, open.fd.get(), 0) == EIO);
  const auto loop = LoopDevice::over(open.file.path());
  if (!loop)
    return;
  CHECK(error_to_say(ENOSPC, loop->fd(), (1 << 20) - 1) == ENOSPC);
  CHECK(error_to_say(EIO, loop->fd(), 1 << 20) == EIO);
  CHECK_THROWS_WITH(write_fully(loop->fd(), "disk", 1 << 20, repeated('x', 512)), ContainsSubstring("No such device"));
}
