// SPDX-License-Identifier: BSD-3-Clause
#include "core/target/open_files.h"

#include "tests/unit/catch2.h"
#include "tests/unit/child_process.h"
#include "tests/unit/temporary_file.h"
#include "tests/unit/temporary_folder.h"

#include <fstream>

#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

using namespace gptgrow;

namespace {

Medium medium_at(const std::string& path)
{
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return medium_of(status, path);
}

/// What a child does to the file `path`, as others see it.
std::vector<OpenFile> while_child(const std::string& path, const std::function<bool(const std::string&)>& act)
{
  const ChildProcess child([&] { return std::string(act(path) ? "done" : "not done"); });
  REQUIRE(child.said() == "done");
  const Medium medium = medium_at(path);
  std::vector<OpenFile> all = find_open_files([&](const Medium& other) { return other == medium; }).all;
  for (const OpenFile& file : all)
    CHECK(file.process == child.name());
  return all;
}

int open_for(const std::string& path, int flags)
{
  return ::open(path.c_str(), flags);
}

}  // namespace

TEST_CASE("What a program has open is found, and whether it can write to it, or has locked it")
{
  const TemporaryFile file;
  file.resize(8192);
  const std::string& path = file.path();
  // We have it open too, and are not among others.
  CHECK(while_child(path, [](const std::string&) { return true; }).size() == 1);  // it inherited ours
  const auto reads = while_child(path, [](const std::string& p) { return open_for(p, O_RDONLY) != -1; });
  REQUIRE(reads.size() == 2);
  CHECK_FALSE(reads[1].can_write);
  CHECK_FALSE(reads[1].is_locked);
  CHECK(reads[0].can_write);

  const auto writes = while_child(path, [](const std::string& p) { return open_for(p, O_WRONLY) != -1; });
  REQUIRE(writes.size() == 2);
  CHECK(writes[1].can_write);

  const auto only_path = while_child(path, [](const std::string& p) { return open_for(p, O_PATH) != -1; });
  REQUIRE(only_path.size() == 2);
  CHECK_FALSE(only_path[1].can_write);

  const auto locks =
      while_child(path, [](const std::string& p) { return ::flock(open_for(p, O_RDONLY), LOCK_SH) == 0; });
  REQUIRE(locks.size() == 2);
  CHECK(locks[1].is_locked);
  const TemporaryFolder folder;  // not even we may have it open to write
  std::ofstream(folder / "file") << "text";
  const auto lease = while_child(folder / "file", [](const std::string& p) {
    const int fd = open_for(p, O_RDONLY);
    return ::fcntl(fd, F_SETLEASE, F_RDLCK) == 0;
  });
  REQUIRE(lease.size() == 1);
  CHECK_FALSE(lease[0].is_locked);
}

TEST_CASE("What is mapped to be written is found when its descriptor is closed, what cannot reach the file is not")
{
  const TemporaryFile file;
  file.resize(8192);
  const auto mapped = [&](int rights, int flags) {
    return while_child(file.path(), [=](const std::string& path) {
      const int fd = open_for(path, O_RDWR);
      const bool done = ::mmap(nullptr, 8192, rights, flags, fd, 0) != MAP_FAILED;
      return ::close(fd) == 0 && done;
    });
  };
  if (::geteuid() != 0)
    return;  // others' mappings are not ours to see
  const auto shared = mapped(PROT_READ | PROT_WRITE, MAP_SHARED);
  REQUIRE(shared.size() == 2);
  CHECK(shared[1].can_write);
  CHECK(mapped(PROT_READ | PROT_WRITE, MAP_PRIVATE).size() == 1);
  CHECK(mapped(PROT_READ, MAP_SHARED).size() == 1);
}

TEST_CASE("Lines of /proc/locks, with and without a process, and others'")
{
  const TemporaryFile table;
  const std::string self = std::to_string(::getpid());
  table.write(0, "1: POSIX  ADVISORY  WRITE 999999999 08:02:1234 0 EOF\n"
                 "2: FLOCK  ADVISORY  READ  " +
                     self +
                     " 08:02:1235 0 EOF\n"
                     "3: OFDLCK ADVISORY  WRITE -1 fd:1f:99 100 101\n"
                     "4: LEASE  ACTIVE    READ  1 08:02:7 0 EOF\n"
                     "5: ACCESS ADVISORY  WRITE 1 08:02:8 0 EOF\n"
                     "1: -> POSIX ADVISORY WRITE 1 08:02:9 0 EOF\n"
                     "nonsense\n"
                     "\n"
                     "6: FLOCK  ADVISORY  WRITE 1 08:02\n");
  const auto locks = read_locks(table.path());
  REQUIRE(locks);
  REQUIRE(locks->size() == 2);
  CHECK((*locks)[0].file_system == makedev(8, 2));
  CHECK((*locks)[0].inode == 1234);
  CHECK((*locks)[0].process == "process 999999999");
  CHECK((*locks)[1].file_system == makedev(0xfd, 0x1f));
  CHECK((*locks)[1].inode == 99);
  CHECK((*locks)[1].process.empty());
  CHECK_FALSE(read_locks("/nonexistent"));
}

TEST_CASE("The kernel's own table has a lock that a child holds, and not our own")
{
  const TemporaryFile file, ours;
  const FileDescriptor own(::open(ours.path().c_str(), O_RDWR | O_CLOEXEC));
  REQUIRE(::flock(own.get(), LOCK_EX) == 0);
  const ChildProcess child(
      [&] { return std::string(::flock(open_for(file.path(), O_RDWR), LOCK_EX) == 0 ? "locked" : ""); });
  REQUIRE(child.said() == "locked");
  const auto locks = read_locks();
  REQUIRE(locks);
  const auto by = [&](const std::string& path) -> std::string {
    for (const Lock& lock : *locks)
      if (lock.inode == medium_at(path).inode)
        return lock.process;
    return "nobody";
  };
  CHECK(by(file.path()) == child.name());
  CHECK(by(ours.path()) == "nobody");
}
