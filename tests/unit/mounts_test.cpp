// SPDX-License-Identifier: BSD-3-Clause
#include "core/target/mounts.h"

#include "tests/unit/catch2.h"
#include "tests/unit/child_process.h"
#include "tests/unit/loop_device.h"
#include "tests/unit/temporary_file.h"
#include "tests/unit/temporary_folder.h"

#include <algorithm>
#include <fstream>

using namespace gptgrow;
namespace fs = std::filesystem;

namespace {

/// A /proc of files.
class FakeProc {
public:
  FakeProc() { add("self", "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"); }

  /// Without `mounts`, the process has ended.
  void add(const std::string& process, const std::string& mounts) const
  {
    fs::create_directories(folder_.path() + '/' + process + "/ns");
    std::ofstream(folder_.path() + '/' + process + "/ns/mnt") << "";
    std::ofstream(folder_.path() + '/' + process + "/mountinfo") << mounts;
  }

  /// A process of the same namespace as `other`.
  void add_beside(const std::string& process, const std::string& other) const
  {
    fs::create_directories(folder_.path() + '/' + process + "/ns");
    fs::create_hard_link(folder_.path() + '/' + other + "/ns/mnt", folder_.path() + '/' + process + "/ns/mnt");
    std::ofstream(folder_.path() + '/' + process + "/mountinfo") << "1 0 8:77 / /twice rw - ext4 /dev/sdz rw\n";
  }

  Mounts mounts() const { return read_mounts(folder_.path()); }
  std::string path() const { return folder_.path(); }

private:
  TemporaryFolder folder_;
};

/// The mount that `path` is on, with something else said of it.
struct OneMount {
  explicit OneMount(const std::string& path)
  {
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    medium = medium_of(status, path);
    const Mounts mounts = read_mounts();
    const Mount* const found = mount_of(medium, mounts);
    is_known = found != nullptr;  // not in a chroot that is no mount
    if (found)
      mount = *found;
  }

  Backing backing(const std::string& type, const std::string& source, const std::string& options = "",
                  std::vector<BlockDevice> devices = {}) const
  {
    Mount other = mount;
    other.type = type;
    other.source = source;
    other.options = options;
    return backing_of(medium, {.all = {other}}, BlockGraph(std::move(devices)));
  }

  Medium medium;
  Mount mount;
  bool is_known = false;
};

using Kind = Backing::Kind;

}  // namespace

TEST_CASE("The mounts of each namespace are read once, and those of other processes say whose they are")
{
  const FakeProc proc;
  proc.add("77", "9 0 8:2 / /mnt rw - xfs /dev/sda2 rw\n10 0 8:3 / /srv rw - xfs /dev/sda3 rw\n");
  proc.add_beside("78", "77");
  proc.add_beside("79", "self");
  proc.add("sys", "9 0 8:99 / /no rw - xfs /dev/sda9 rw\n");
  const Mounts mounts = proc.mounts();
  CHECK(mounts.has_all_namespaces);
  std::vector<std::pair<pid_t, std::string>> found;
  for (const Mount& mount : mounts.all)
    found.emplace_back(mount.process, mount.where);
  // Which of 77 and 78 comes first is the file system's choice.
  CHECK((found.size() == 3 || found.size() == 2));
  CHECK(found.front() == std::pair<pid_t, std::string>{0, "/"});
  CHECK(mounts.all.front().id == 1);
  for (const Mount& mount : mounts.all)
    if (mount.process != 0)
      CHECK(mount.id == -1);
}

TEST_CASE("A line that is no mount, and a table that cannot be read, may hide a holder")
{
  const FakeProc proc;
  proc.add("77", "9 0 8:2 / /mnt rw - xfs /dev/sda2 rw\nnonsense\n");
  CHECK_FALSE(proc.mounts().has_all_namespaces);
  CHECK(proc.mounts().all.size() == 2);
  CHECK_FALSE(read_mounts("/nonexistent").has_all_namespaces);
  CHECK(read_mounts("/nonexistent").all.empty());
  // A process that has ended since hides nothing.
  const FakeProc other;
  fs::create_directories(other.path() + "/80");
  CHECK(other.mounts().has_all_namespaces);
}

TEST_CASE("What is mounted here, and in a namespace of another process, is seen")
{
  const TemporaryFolder folder;
  const ChildProcess child([&] {
    const bool is_mounted = have_own_mounts() && ::mount("none", folder.path().c_str(), "tmpfs", 0, nullptr) == 0;
    return std::string(is_mounted ? "mounted" : "");
  });
  const Mounts mounts = read_mounts();
  CHECK(std::ranges::any_of(mounts.all, [](const Mount& mount) { return mount.process == 0 && mount.type == "proc"; }));
  if (child.said() == "mounted")
    CHECK(std::ranges::any_of(mounts.all,
                              [&](const Mount& mount) { return mount.where == folder.path() && mount.process != 0; }));
}

TEST_CASE("Swap spaces are those of the table that are there")
{
  const TemporaryFile swap, table;
  table.write(0, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n" + swap.path() +
                     "  file\t\t1024\t0\t-2\n/gone\\040file file 1 0 -3\n");
  const std::vector<Medium> found = swap_spaces(table.path());
  REQUIRE(found.size() == 1);
  CHECK(found[0].path == swap.path());
  CHECK_FALSE(found[0].is_device);
  CHECK(swap_spaces("/nonexistent").empty());
  CHECK_NOTHROW(swap_spaces());
}

TEST_CASE("A mount is a device's by its number, or by a source that is a device")
{
  Mount mount;
  mount.device = 77;
  mount.source = "/dev/null";
  CHECK(mount.is_of(77));
  CHECK_FALSE(mount.is_of(78));
  mount.source = "/dev/nonexistent";
  CHECK_FALSE(mount.is_of(78));
  const TemporaryFile file;
  file.resize(1 << 20);
  const auto loop = LoopDevice::over(file.path());
  if (!loop)
    return;
  mount.source = loop->path();
  CHECK(mount.is_of(loop->number()));
  CHECK_FALSE(mount.is_of(78));
  const OneMount one(file.path());
  if (!one.is_known)
    return;
  CHECK(one.backing("odd", loop->path()).disks == std::vector{loop->number()});
  // Not known to sysfs as one of several.
  CHECK(one.backing("btrfs", loop->path()).disks == std::vector{loop->number()});
}

TEST_CASE("The mount of a file is the one that it was reached through, as long as its path leads to it")
{
  const TemporaryFile file, other;
  OneMount one(file.path());
  if (!one.is_known)
    return;
  const Mounts mounts{.all = {one.mount}};
  CHECK(mount_of(one.medium, mounts) == &mounts.all.front());
  CHECK(mount_of(one.medium, {}) == nullptr);
  Mount of_another = one.mount;
  of_another.process = 7;
  CHECK(mount_of(one.medium, {.all = {of_another}}) == nullptr);
  one.medium.path = other.path();
  CHECK(mount_of(one.medium, mounts) == nullptr);
  one.medium.inode = 0;  // any file of that file system
  CHECK(mount_of(one.medium, mounts) != nullptr);
  for (const char* path : {"", "/nonexistent/file", "/proc/self/stat"}) {
    one.medium.path = path;
    CHECK(mount_of(one.medium, mounts) == nullptr);
  }
}

TEST_CASE("What a file's bytes are on depends on the kind of file system, and on whether its disks have names here")
{
  const TemporaryFile file;
  const OneMount one(file.path());
  if (!one.is_known)
    return;
  for (const char* type : {"tmpfs", "ramfs", "devtmpfs", "rootfs", "proc", "sysfs", "hugetlbfs"}) {
    CHECK(one.backing(type, "none").kind == Kind::known);
    CHECK(one.backing(type, "none").disks.empty());
  }
  for (const char* type : {"zfs", "btrfs", "bcachefs", "aufs"})
    CHECK(one.backing(type, "pool").kind == Kind::hidden);
  for (const char* type : {"nfs4", "fuse.sshfs", "9p", "virtiofs"})
    CHECK(one.backing(type, "host:/export").kind == Kind::served);
  CHECK(one.backing("fuse", "/dev/null").kind == Kind::served);
  CHECK(one.backing("fuseblk", "/dev/nonexistent").kind == Kind::served);

  BlockDevice device;
  device.number = one.medium.device;
  CHECK(one.backing("ext4", "/dev/root", "", {device}).disks == std::vector{device.number});
  Medium gone = one.medium;
  gone.path = "/nonexistent/file";
  CHECK(backing_of(gone, {.all = {one.mount}}, BlockGraph({})).kind == Kind::hidden);
}

TEST_CASE("What an overlay shows is on the disks of its folders, where all of them can be seen")
{
  const TemporaryFile file;
  const OneMount one(file.path());
  if (!one.is_known)
    return;
  const TemporaryFolder folder;
  // The folders are told to be on that overlay themselves: there is an end to that.
  CHECK(one.backing("overlay", "none", "rw,lowerdir=" + folder.path()).kind == Kind::hidden);
  CHECK(one.backing("overlay", "none", "rw").kind == Kind::hidden);
  CHECK(one.backing("overlay", "none", "rw,lowerdir=relative").kind == Kind::hidden);
  CHECK(one.backing("overlay", "none", "rw,lowerdir=/nonexistent/folder").kind == Kind::hidden);

  const std::string shm = "/dev/shm";
  struct stat status {};
  if (::stat(shm.c_str(), &status) == -1 || status.st_dev == one.medium.device)
    return;
  const Mounts real = read_mounts();
  Mounts mounts = real;
  for (Mount& mount : mounts.all)
    if (mount.id == one.mount.id && mount.process == 0) {
      mount.type = "overlay";
      mount.options = "rw,lowerdir=" + shm + ",upperdir=" + shm;
    }
  const Backing in_memory = backing_of(one.medium, mounts, BlockGraph({}));
  CHECK(in_memory.kind == Kind::known);
  CHECK(in_memory.disks.empty());
}

TEST_CASE("Whether a file is on an overlay is told by its number, or by its path where no mount has that")
{
  const TemporaryFile file;
  OneMount one(file.path());
  if (!one.is_known)
    return;
  Mounts mounts{.all = {one.mount}};
  mounts.all[0].type = "overlay";
  CHECK(is_on_overlay(one.medium, mounts));
  mounts.all[0].type = "ext4";
  CHECK_FALSE(is_on_overlay(one.medium, mounts));
  const bool is_overlay_here = is_on_overlay(one.medium, read_mounts());
  CHECK(is_on_overlay(one.medium, {}) == is_overlay_here);
  one.medium.path = "/nonexistent/file";
  CHECK_FALSE(is_on_overlay(one.medium, {}));
}

TEST_CASE("A real overlay, in a namespace of its own, is on what its folders are on")
{
  const TemporaryFolder folder;
  const std::string said = with_own_mounts([&]() -> std::string {
    const std::string base = folder.path();
    if (!mount_overlay(base, [&] { std::ofstream(base + "/lower/file") << "text"; }))
      return "not tried";
    struct stat status {};
    if (::stat((base + "/both/file").c_str(), &status) == -1)
      return "no file";
    const Medium shown = medium_of(status, base + "/both/file");
    const Mounts mounts = read_mounts();
    const Mount* const mount = mount_of(shown, mounts);
    const Backing backing = backing_of(shown, mounts, BlockGraph({}));
    if (!mount || mount->type != "overlay")
      return "another mount";
    if (!is_on_overlay(shown, mounts))
      return "not on an overlay";
    return backing.kind == Kind::known && backing.disks.empty() ? "" : "not in memory";
  });
  CHECK((said.empty() || said == "not tried"));
}
