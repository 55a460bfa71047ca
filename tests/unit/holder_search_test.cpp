// SPDX-License-Identifier: BSD-3-Clause
#include "core/target/holder_search.h"

#include "core/source/file_source.h"
#include "core/target/kernel_partitions.h"
#include "tests/unit/catch2.h"
#include "tests/unit/child_process.h"
#include "tests/unit/loop_device.h"
#include "tests/unit/temporary_file.h"
#include "tests/unit/temporary_folder.h"

#include <cstdlib>
#include <fstream>
#include <set>

#include <fmt/format.h>

#include <sys/file.h>

using namespace gptgrow;

namespace {

Holding search(const std::string& path, Scope scope = Scope::every_byte)
{
  struct stat status {};
  if (::stat(path.c_str(), &status) == -1)
    throw std::runtime_error(path);
  return HolderSearch(path, status, scope).run();
}

std::set<std::string> sentences_of(const Holding& holding)
{
  std::set<std::string> all;
  for (const Holder& holder : holding.holders)
    all.insert(to_string(holder));
  return all;
}

using Sentences = std::set<std::string>;

/// A file with a loop device over it, which has two partitions. No other loop device is likely to be so long.
struct Stack {
  Stack()
  {
    file.resize((4 << 20) + 123 * 4096);
    loop = LoopDevice::over(file.path(), LO_FLAGS_PARTSCAN);
    is_there = loop && loop->add_partition(1, {1 << 20, 1 << 20}) && loop->add_partition(2, {2 << 20, 1 << 20});
    if (!is_there)
      return;
    for (const KernelPartition& partition : kernel_partitions(FileSource(loop->path()))) {
      const std::string node = folder / std::to_string(partition.number);
      is_there = is_there && ::mknod(node.c_str(), S_IFBLK | 0600, partition.device) == 0;
    }
  }

  std::string node(int number) const { return folder / std::to_string(number); }
  std::string name(int number) const { return loop->path() + "p" + std::to_string(number); }

  TemporaryFile file;
  TemporaryFolder folder;
  std::optional<LoopDevice> loop;
  bool is_there = false;
};

}  // namespace

TEST_CASE("Who has a file open for writing is told, and a reader is nobody's business")
{
  const TemporaryFolder folder;
  const std::string path = folder / "file";
  const FileDescriptor made(::open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
  const ChildProcess reader([&] { return std::string(); });  // it has inherited that
  CHECK(search(path).unseen.empty());
  const ChildProcess writer([&] { return std::to_string(::open(path.c_str(), O_WRONLY)); });
  const Holding holding = search(path);
  CHECK(holding.holders.empty());
  REQUIRE(holding.unseen.size() == 1);
  CHECK(holding.unseen[0] ==
        fmt::format("{} is open for writing in {}: what that does with it cannot be seen", path, writer.name()));
  CHECK_FALSE(holding.may_pass);  // a file's writer is not udev
}

TEST_CASE("A file is held by the loop device over it, and that lies on the file that may be locked")
{
  Stack stack;
  if (!stack.is_there)
    return;
  CHECK(sentences_of(search(stack.file.path())) ==
        Sentences{stack.file.path() + " is in use by " + stack.loop->path()});
  CHECK(search(stack.loop->path()).holders.empty());
  CHECK(search(stack.node(1)).holders.empty());

  const ChildProcess locker([&] {
    ::close(stack.loop->fd());
    return std::string(::flock(::open(stack.file.path().c_str(), O_RDONLY), LOCK_EX) == 0 ? "locked" : "");
  });
  REQUIRE(locker.said() == "locked");
  const Sentences locked{stack.file.path() + " is locked by " + locker.name()};
  CHECK(sentences_of(search(stack.loop->path())) == locked);
  CHECK(sentences_of(search(stack.node(1))) == locked);
}

TEST_CASE("A lock on a partition, by any of its nodes, is one on its disk, and not on another partition")
{
  Stack stack;
  if (!stack.is_there)
    return;
  const ChildProcess locker([&] {
    ::close(stack.loop->fd());
    return std::string(::flock(::open(stack.node(1).c_str(), O_RDONLY), LOCK_EX) == 0 ? "locked" : "");
  });
  REQUIRE(locker.said() == "locked");
  CHECK(sentences_of(search(stack.loop->path())) == Sentences{stack.name(1) + " is locked by " + locker.name()});
  CHECK(search(stack.node(2)).holders.empty());
  CHECK(search(stack.loop->path(), Scope::beside_partitions).holders.empty());
}

TEST_CASE("A second loop device over a partition holds that, and its disk")
{
  Stack stack;
  if (!stack.is_there)
    return;
  const auto above = LoopDevice::over(stack.node(2));
  REQUIRE(above);
  const std::string sentence = " is in use by " + above->path();
  CHECK(sentences_of(search(stack.node(2))) == Sentences{stack.node(2) + sentence});
  CHECK(sentences_of(search(stack.loop->path())) == Sentences{stack.name(2) + sentence});
  CHECK(search(stack.node(1)).holders.empty());

  // What is below it is kept from others while it is written.
  const Holding holding = search(above->path());
  CHECK(holding.holders.empty());
}

TEST_CASE("A mount is told wherever it is, and that of a partition does not hold what is beside it")
{
  Stack stack;
  if (!stack.is_there)
    return;
  const TemporaryFolder where;
  const ChildProcess mounter([&]() -> std::string {
    ::close(stack.loop->fd());
    if (!have_own_mounts() || !make_and_mount(stack.node(1), where.path(), MS_RDONLY))
      return "not tried";
    const auto seen_within = sentences_of(search(stack.loop->path()));
    return seen_within == Sentences{stack.name(1) + " is mounted on " + where.path()} ? "mounted" : "not seen within";
  });
  if (mounter.said() == "not tried")
    return;
  CHECK(mounter.said() == "mounted");
  const Sentences elsewhere{fmt::format("{} is mounted on {} in the mount namespace of process {}", stack.name(1),
                                        where.path(), mounter.id())};
  CHECK(sentences_of(search(stack.loop->path())) == elsewhere);
  CHECK(search(stack.node(2)).holders.empty());
  CHECK(search(stack.loop->path(), Scope::beside_partitions).holders.empty());
  CHECK_FALSE(sentences_of(search(stack.file.path())).empty());
}

TEST_CASE("A file system that is mounted nowhere any more, but has a file open, is in use")
{
  Stack stack;
  if (!stack.is_there)
    return;
  const TemporaryFolder where;
  const ChildProcess user([&]() -> std::string {
    ::close(stack.loop->fd());
    if (!have_own_mounts() || !make_and_mount(stack.node(1), where.path(), MS_RDONLY))
      return "not tried";
    const bool is_open = ::open(where.path().c_str(), O_RDONLY) != -1;
    return is_open && ::umount2(where.path().c_str(), MNT_DETACH) == 0 ? "open" : "not open";
  });
  if (user.said() == "not tried")
    return;
  REQUIRE(user.said() == "open");
  CHECK(sentences_of(search(stack.loop->path())) ==
        Sentences{stack.name(1) + " holds a file system (ext4) that is in use, mounted where it cannot be seen"});
}

TEST_CASE("A device below a loop device is kept from others, unless they hold it")
{
  Stack stack;
  if (!stack.is_there)
    return;
  const auto above = LoopDevice::over(stack.loop->path());
  REQUIRE(above);
  const auto open_alone = [&] {
    return FileDescriptor(::open(stack.loop->path().c_str(), O_RDONLY | O_EXCL | O_CLOEXEC));
  };
  {
    const Holding holding = search(above->path());
    CHECK(holding.holders.empty());
    CHECK(holding.claims.size() == 1);
    CHECK(open_alone().get() == -1);
  }
  const FileDescriptor alone = open_alone();
  REQUIRE(alone.get() != -1);
  CHECK(sentences_of(search(above->path())) == Sentences{stack.loop->path() + " is in use by another program"});
  // Whoever has a name is told alone.
  const ChildProcess locker(
      [&] { return std::string(::flock(::open(stack.file.path().c_str(), O_RDONLY), LOCK_EX) == 0 ? "locked" : ""); });
  REQUIRE(locker.said() == "locked");
  CHECK(sentences_of(search(above->path())) == Sentences{stack.file.path() + " is locked by " + locker.name()});
}

TEST_CASE("A file that an overlay shows too may be held under that name")
{
  const TemporaryFolder folder;
  const std::string said = with_own_mounts([&]() -> std::string {
    const std::string lower = folder / "lower/file", shown = folder / "both/file";
    if (!mount_overlay(folder.path(), [&] { std::ofstream(lower) << std::string(12'345, 'x'); }))
      return "not tried";
    const auto is_told = [&](auto use) {
      const ChildProcess child(use);
      for (const std::string& sentence : search(lower).unseen)
        if (sentence.find(child.name()) != std::string::npos &&
            sentence.find("as an overlay shows it") != std::string::npos)
          return true;
      return false;
    };
    if (is_told([&] { return std::to_string(::open(shown.c_str(), O_RDONLY)); }))
      return "told of a reader";
    if (!is_told([&] { return std::to_string(::flock(::open(shown.c_str(), O_RDONLY), LOCK_EX)); }))
      return "not told of a lock";
    return is_told([&] { return std::to_string(::open(shown.c_str(), O_WRONLY)); }) ? "" : "not told of a writer";
  });
  CAPTURE(said);
  CHECK((said.empty() || said == "not tried"));
}
