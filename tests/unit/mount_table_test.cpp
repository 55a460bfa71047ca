// SPDX-License-Identifier: BSD-3-Clause
#include "core/target/mount_table.h"
#include "tests/unit/catch2.h"

#include <sys/sysmacros.h>

using namespace gptgrow;
using Texts = std::vector<std::string>;

TEST_CASE("a mount, as mountinfo tells it")
{
  const auto mount =
      parse_mount("36 35 259:17 /mnt1 /mnt2 rw,noatime master:1 propagate_from:7 - ext3 /dev/sda1 rw,errors=continue");
  REQUIRE(mount);
  CHECK(mount->id == 36);
  CHECK(mount->device == makedev(259, 17));
  CHECK(mount->where == "/mnt2");
  CHECK(mount->type == "ext3");
  CHECK(mount->source == "/dev/sda1");
  CHECK(mount->options == "rw,errors=continue");
  CHECK(mount->process == 0);
}

TEST_CASE("names of mounts hold blanks, dashes and nothing at all")
{
  const auto escaped = parse_mount(R"(1 2 8:1 / /a\040-\011b\012\134c ro - fuse.my\040fs /dev/x\040- ro)");
  REQUIRE(escaped);
  CHECK(escaped->where == "/a -\tb\n\\c");
  CHECK(escaped->type == "fuse.my fs");
  CHECK(escaped->source == "/dev/x -");

  const auto empty = parse_mount("1 2 0:5 / /t rw shared:2 - tmpfs  rw,size=1k");
  REQUIRE(empty);
  CHECK(empty->source.empty());
  CHECK(empty->options == "rw,size=1k");
}

TEST_CASE("what is no line of mountinfo")
{
  for (const char* line :
       {"", " ", "-", "x", "36", "36 35 8 / /m rw - ext3 /dev/sda1 rw", "36 35 8: / /m rw - ext3 /dev/sda1 rw",
        "a 35 8:1 / /m rw - ext3 /dev/sda1 rw", "36 35 8:1x / /m rw - ext3 /dev/sda1 rw",
        "36 35 8:1 / /m rw ext3 /dev/sda1 rw", "36 35 8:1 / /m rw - ext3", "36 35 8:1 / m rw - ext3 /dev/sda1 rw",
        "99999999999999999999 35 8:1 / /m rw - ext3 /dev/sda1 rw"}) {
    CAPTURE(line);
    CHECK(!parse_mount(line));
  }
}

TEST_CASE("a field's escapes")
{
  CHECK(unescape_field(R"(a\040b)") == "a b");
  CHECK(unescape_field(R"(\134040)") == R"(\040)");
  CHECK(unescape_field(R"(\377)") == "\xff");
  for (const char* as_it_is : {"", "a", "\\", R"(\04)", R"(\049)", R"(\400)", R"(\x20)"})
    CHECK(unescape_field(as_it_is) == as_it_is);
}

TEST_CASE("the folders of an overlay")
{
  CHECK(overlay_folders("rw,lowerdir=/a:/b,upperdir=/u,workdir=/w") == Texts{"/a", "/b", "/u"});
  CHECK(overlay_folders("ro,lowerdir=/a::/data") == Texts{"/a", "/data"});
  CHECK(overlay_folders(R"(rw,lowerdir=/a\054b:/c\040d:/e\134:f,upperdir=/u:v\134\054w)") ==
        Texts{"/a,b", "/c d", "/e:f", "/u:v,w"});
  CHECK(overlay_folders("rw,lowerdir+=/a:b,lowerdir+=/c,datadir+=/d,upperdir=/u") == Texts{"/a:b", "/c", "/d", "/u"});
  CHECK(overlay_folders("rw,upperdir=,lowerdir").empty());
  CHECK(overlay_folders("").empty());
}
