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

TEST_CASE("What is found from the end of a partition is hidden when that becomes longer, and its remark says so")
{
  const auto from_end = [](const char* type) { return growing(type, "/dev/sdb3", "/srv", true); };
  CHECK(from_end("linux_raid_member").command == "mdadm --grow ARRAY --size=max");
  CHECK_THAT(from_end("linux_raid_member").remark, ContainsSubstring("at once, while the array runs"));
  CHECK(from_end("drbd").command == "drbdadm resize RESOURCE");
  CHECK(from_end("isw_raid_member").command.empty());
  for (const char* type : {"linux_raid_member", "drbd", "isw_raid_member"}) {
    CHECK(from_end(type).hides);
    CHECK_THAT(from_end(type).remark, ContainsSubstring("is not found any more"));
  }
  // Metadata 1.1 and 1.2, and what has copies at both ends.
  CHECK_FALSE(growing("linux_raid_member", "", "").hides);
  CHECK_FALSE(from_end("ext4").hides);
  CHECK_FALSE(from_end("zfs_member").hides);
  CHECK(from_end("ext4").command == "resize2fs /dev/sdb3");
}
