// SPDX-License-Identifier: BSD-3-Clause
#include "core/target/target.h"

#include "core/error.h"
#include "core/gpt/fields.h"
#include "core/target/kernel_partitions.h"
#include "tests/unit/catch2.h"
#include "tests/unit/child_process.h"
#include "tests/unit/limit.h"
#include "tests/unit/loop_device.h"
#include "tests/unit/temporary_folder.h"

#include <fstream>
#include <system_error>

#include <sys/file.h>

using namespace gptgrow;

namespace {

constexpr std::uint64_t kTargetFileBytes = 4 << 20;

std::vector<std::byte> full_of(char c, std::size_t size)
{
  return std::vector<std::byte>(size, static_cast<std::byte>(c));
}

struct TargetFolder {
  /// A file full of 'x'.
  std::string make(const std::string& name) const
  {
    const std::string path = folder / name;
    std::ofstream(path) << std::string(kTargetFileBytes, 'x');
    return path;
  }

  TemporaryFolder folder;
};

std::string refusal_to_hold(const std::string& path, Others others = Others::none)
{
  try {
    const DeviceTarget target(path, others);
  } catch (const std::exception& e) {
    return e.what();
  }
  return "";
}

/// Makes zeros of ranges with all kinds of ends.
void check_zeroing(DeviceTarget& target)
{
  for (const ByteRange range : {ByteRange{100, 50}, ByteRange{4000, 200}, ByteRange{8192, 4096},
                                ByteRange{20'000, 100'000}, ByteRange{(1 << 20) + 1, (2 << 20) + 7}}) {
    CAPTURE(range.offset, range.size);
    target.zero(range);
    target.flush();
    const auto around = read_bytes(target, {range.offset - 1, range.size + 2});
    CHECK(around.front() == std::byte{'x'});
    CHECK(around.back() == std::byte{'x'});
    CHECK(is_zero(std::span(around).subspan(1, range.size)));
  }
}

}  // namespace

TEST_CASE("A target is written and read, and holds what it was given")
{
  const TargetFolder in;
  DeviceTarget target(in.make("target"));
  CHECK(target.size_bytes() == kTargetFileBytes);
  CHECK_FALSE(target.has_partitions_in_use());
  target.write(1000, full_of('y', 5000));
  target.flush();
  CHECK(read_bytes(target, {1000, 5000}) == full_of('y', 5000));
  CHECK(read_bytes(target, {999, 1}) == full_of('x', 1));
  CHECK(target.reread_partitions() == std::nullopt);
  CHECK_THROWS_AS(
      [&] {
        const FileSizeLimit limit(4096);
        target.write(4000, full_of('z', 200));
      }(),
      std::system_error);
}

TEST_CASE("Ranges of a file become zeros, whatever their ends, and nothing beside them")
{
  const TargetFolder in;
  DeviceTarget target(in.make("target"));
  check_zeroing(target);
  CHECK(std::filesystem::file_size(target.name()) == kTargetFileBytes);
}

TEST_CASE("Space of a file is given back and taken, where its file system can do that")
{
  const TargetFolder in;
  DeviceTarget target(in.make("target"));
  CHECK(target.discard({10, 20}));
  CHECK(target.zero_by_device({10, 20}));
  CHECK(read_bytes(target, {0, 4096}) == full_of('x', 4096));
  if (target.can_punch() && target.discard({8192, 8192})) {
    CHECK(is_zero(read_bytes(target, {8192, 8192})));
    CHECK(target.zero_by_device({100'000, 100'000}));
    CHECK(is_zero(read_bytes(target, {102'400, 94'208})));
    CHECK(read_bytes(target, {100'000, 10}) == full_of('x', 10));
  }
  (void)target.allocate({0, 8192});
  CHECK(std::filesystem::file_size(target.name()) == kTargetFileBytes);
  CHECK_THROWS_WITH(target.allocate({INT64_MAX - 4096, 4096}), ContainsSubstring("target: taking space for bytes 92"));
}

TEST_CASE("A new file is a hole, and is never made over another one")
{
  const TargetFolder in;
  {
    const DeviceTarget target(in.folder / "new", 1 << 20, 0640);
    CHECK(is_zero(read_bytes(target, {0, 1 << 20})));
    CHECK(target.unseen_holders().empty());
  }
  CHECK_THROWS_WITH(DeviceTarget(in.folder / "new", 512), ContainsSubstring("exists already"));
  std::filesystem::create_symlink(in.folder / "gone", in.folder / "link");
  CHECK_THROWS_WITH(DeviceTarget(in.folder / "link", 512),
                    ContainsSubstring("a symbolic link to " + (in.folder / "gone")));
  CHECK_THROWS_WITH(DeviceTarget(in.folder / "nowhere/new", 512), ContainsSubstring("cannot be made: No such file"));
  const FileSizeLimit limit(1 << 20);
  CHECK_THROWS_WITH(DeviceTarget(in.folder / "long", 1 << 21), ContainsSubstring("cannot be made 2097152 bytes long"));
  CHECK_FALSE(std::filesystem::exists(in.folder / "long"));
}

TEST_CASE("What is no disk, or is not there, is no target")
{
  const TargetFolder in;
  CHECK_THAT(refusal_to_hold("/dev/null"), ContainsSubstring("neither a regular file nor a block device"));
  CHECK_THAT(refusal_to_hold(in.folder.path()), ContainsSubstring("neither a regular file nor a block device"));
  CHECK_THAT(refusal_to_hold(in.folder / "none"), ContainsSubstring("No such file"));
  const std::string program = "/proc/self/exe";  // is busy as long as it runs
  CHECK_THAT(refusal_to_hold(program), ContainsSubstring("cannot be opened for writing"));
}

TEST_CASE("A target is held: nobody else gets it, by either kind of lock")
{
  const TargetFolder in;
  const std::string path = in.make("target");
  {
    const DeviceTarget target(path);
    CHECK_THAT(refusal_to_hold(path), ContainsSubstring("locked by another program"));
  }
  CHECK(refusal_to_hold(path).empty());
  const FileDescriptor other(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  REQUIRE(::flock(other.get(), LOCK_SH) == 0);
  CHECK_THAT(refusal_to_hold(path), ContainsSubstring("locked by another program"));
  REQUIRE(::flock(other.get(), LOCK_UN) == 0);
  struct flock first {};
  first.l_type = F_RDLCK;
  first.l_start = 100;
  first.l_len = 1;
  REQUIRE(::fcntl(other.get(), F_OFD_SETLK, &first) == 0);
  CHECK_THAT(refusal_to_hold(path), ContainsSubstring("locked by another program"));
}

TEST_CASE("A block device is written, made zeros of, and told to forget")
{
  const TargetFolder in;
  auto loop = LoopDevice::over(in.make("file"));
  if (!loop)
    return;
  DeviceTarget target(loop->path());
  check_zeroing(target);
  CHECK(target.discard({(1 << 20) + 100, 1 << 20}));
  target.write(0, full_of('x', 1 << 20));
  if (target.zero_by_device({4096, 8192}))
    CHECK(is_zero(read_bytes(target, {4096, 8192})));
  CHECK(read_bytes(target, {0, 4096}) == full_of('x', 4096));
  CHECK_THAT(target.reread_partitions().value_or(""), ContainsSubstring("it shows no partitions of this device"));
  CHECK_THROWS_WITH(target.zero({kTargetFileBytes, 8192}), ContainsSubstring(loop->path()));
}

TEST_CASE("A block device that is read-only, or held by another one, is no target")
{
  const TargetFolder in;
  const std::string file = in.make("file");
  const auto read_only = LoopDevice::over(in.make("other"), LO_FLAGS_READ_ONLY);
  const auto loop = LoopDevice::over(file);
  if (!read_only || !loop)
    return;
  CHECK_THAT(refusal_to_hold(read_only->path()), ContainsSubstring("read-only"));
  CHECK(refusal_to_hold(file) ==
        fmt::format("{0}: in use by {1}; name that device instead, or detach it (losetup -d {1})", file, loop->path()));
  {
    // udev would have ended within a second.
    const FileDescriptor locker(::open(loop->path().c_str(), O_RDONLY | O_CLOEXEC));
    REQUIRE(::flock(locker.get(), LOCK_SH) == 0);
    CHECK_THAT(refusal_to_hold(loop->path()), ContainsSubstring("locked by another program"));
  }
  const FileDescriptor holder(::open(loop->path().c_str(), O_RDONLY | O_EXCL | O_CLOEXEC));
  CHECK_THAT(refusal_to_hold(loop->path()), ContainsSubstring("in use by another program"));
  CHECK_THAT(refusal_to_hold(loop->path(), Others::in_partitions), ContainsSubstring("in use by another program"));
}

TEST_CASE("Beside partitions that are in use, whole sectors are written past the cache")
{
  const TargetFolder in;
  const auto loop = LoopDevice::over(in.make("disk"), LO_FLAGS_PARTSCAN);
  if (!loop)
    return;
  REQUIRE(loop->add_partition(3, {1 << 20, 1 << 20}));
  const std::string partition = in.folder / "partition";
  REQUIRE(::mknod(partition.c_str(), S_IFBLK | 0600, kernel_partitions(FileSource(loop->path())).at(0).device) == 0);
  // A file system that nobody but a child sees.
  const ChildProcess holder([&] {
    ::close(loop->fd());
    return std::string(have_own_mounts() && make_and_mount(partition, in.folder.path()) ? "mounted" : "");
  });
  if (holder.said() != "mounted")
    return;
  CHECK_THAT(refusal_to_hold(loop->path()), ContainsSubstring(loop->path() + "p3 is mounted on " + in.folder.path()));
  DeviceTarget target(loop->path(), Others::in_partitions);
  CHECK(target.has_partitions_in_use());
  target.write(4096 * 3, full_of('y', 512));
  target.flush();
  CHECK(read_bytes(target, {4096 * 3, 512}) == full_of('y', 512));
  CHECK_THAT(target.reread_partitions().value_or(""), ContainsSubstring("it uses the old one until the disk is free"));
}
