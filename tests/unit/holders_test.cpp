// SPDX-License-Identifier: BSD-3-Clause
#include "core/target/holders.h"

#include "tests/unit/catch2.h"
#include "tests/unit/child_process.h"
#include "tests/unit/loop_device.h"
#include "tests/unit/temporary_file.h"

#include <chrono>

using namespace gptgrow;

namespace {

using HolderKind = Holder::Kind;

Holding holding_of(const std::string& path)
{
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return find_holders(path, status);
}

}  // namespace

TEST_CASE("A holder is told in one sentence, and what is not ours in it is safe to print")
{
  const auto text = [](HolderKind kind, const std::string& by) { return to_string(Holder{kind, "/dev/sdb1", by}); };
  CHECK(text(HolderKind::mount, "/mnt") == "/dev/sdb1 is mounted on /mnt");
  CHECK(text(HolderKind::file_system, "ext4") ==
        "/dev/sdb1 holds a file system (ext4) that is in use, mounted where it cannot be seen");
  CHECK(text(HolderKind::swap, "") == "/dev/sdb1 is swap space");
  CHECK(text(HolderKind::member, "/dev/md0") == "/dev/sdb1 is a part of /dev/md0");
  CHECK(text(HolderKind::loop, "/dev/loop0") == "/dev/sdb1 is in use by /dev/loop0");
  CHECK(text(HolderKind::lock, "qemu (7)") == "/dev/sdb1 is locked by qemu (7)");
  CHECK(text(HolderKind::lock, "") == "/dev/sdb1 is locked by another program");
  CHECK(text(HolderKind::exclusive, "") == "/dev/sdb1 is in use by another program");
  CHECK(text(HolderKind::mount, "/a\x1b[31m") == "/dev/sdb1 is mounted on /a\\x1b[31m");
}

TEST_CASE("Nobody holds a file that nobody has open")
{
  const TemporaryFile file;
  const Holding holding = holding_of(file.path());
  CHECK(holding.holders.empty());
  CHECK(holding.unseen.empty());
  CHECK(holding.claims.empty());
  CHECK_FALSE(holding.may_pass);
}

TEST_CASE("Whoever has a device open for writing is given a moment to be done with it")
{
  const TemporaryFile file;
  file.resize((1 << 20) + 123 * 4096);  // as no other loop device
  const auto loop = LoopDevice::over(file.path());
  if (!loop)
    return;
  {
    // It is open in the child, which has inherited it, and that does not end.
    const ChildProcess child([] { return std::string(); });
    const auto begin = std::chrono::steady_clock::now();
    const Holding holding = holding_of(loop->path());
    CHECK(std::chrono::steady_clock::now() - begin >= std::chrono::seconds(1));
    CHECK(holding.may_pass);
    CHECK(holding.holders.empty());
    REQUIRE_FALSE(holding.unseen.empty());
    CHECK_THAT(holding.unseen.front(), ContainsSubstring(loop->path() + " is open for writing in " + child.name()));
  }
  const Holding after = holding_of(loop->path());
  CHECK_FALSE(after.may_pass);
  CHECK(after.unseen.empty());
}
