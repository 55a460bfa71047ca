// SPDX-License-Identifier: BSD-3-Clause
#include "core/target/growing.h"

#include "tests/unit/catch2.h"

using namespace gptgrow;

TEST_CASE("What grows the contents of a partition is known by their type")
{
  const auto command = [](const char* type) { return growing(type, "/dev/sdb3", "/srv").command; };
  for (const char* type : {"ext2", "ext3", "ext4"})
    CHECK(command(type) == "resize2fs /dev/sdb3");
  CHECK(command("xfs") == "xfs_growfs /srv");
  CHECK(command("btrfs") == "btrfs filesystem resize max /srv");
  CHECK(command("LVM2_member") == "pvresize /dev/sdb3");
  CHECK(command("f2fs") == "resize.f2fs /dev/sdb3");
  CHECK_THAT(command("VMFS"), ContainsSubstring("vmkfstools --growfs"));
  CHECK_THAT(command("crypto_LUKS"), ContainsSubstring("cryptsetup resize"));
}

TEST_CASE("What cannot be grown has a reason instead of a command")
{
  for (const char* type : {"vfat", "exfat", "squashfs", "something else", ""}) {
    const Growing how = growing(type, "/dev/sdb3", "");
    CHECK(how.command.empty());
    CHECK_FALSE(how.remark.empty());
  }
}

TEST_CASE("A name that is not known is a word in capitals")
{
  CHECK(growing("ext4", "", "").command == "resize2fs DEVICE");
  CHECK(growing("xfs", "/dev/sdb3", "").command == "xfs_growfs MOUNTPOINT");
  CHECK(growing("xfs", "", "/{0}{1}").command == "xfs_growfs /{0}{1}");
}
