// SPDX-License-Identifier: BSD-3-Clause
#include "core/disk/disk_options.h"
#include "core/error.h"
#include "tests/unit/catch2.h"
#include "tests/unit/memory_source.h"

using namespace gptgrow;

TEST_CASE("Every option takes its values, and no others")
{
  DiskOptions options;
  CHECK(options.set("file", "image.raw"));
  CHECK(options.set("size", "2T"));
  CHECK(options.set("sector-size", "4096"));
  CHECK(options.set("table", "backup"));
  CHECK(options.set("old-backup", "keep"));
  CHECK(options.set("truncated", "allow"));
  CHECK(options.set("extend", "last"));
  CHECK(options.file == "image.raw");
  CHECK(options.size == "2T");
  CHECK(options.reading.sector_size_bytes == 4096);
  CHECK(options.reading.table == TableChoice::backup);
  CHECK(options.reading.policy.old_backup == OldBackup::keep);
  CHECK(options.reading.policy.truncated == Truncated::allow);
  CHECK(options.reading.extend);
  CHECK_THROWS_WITH(options.set("extend", "3"), ContainsSubstring("given twice"));
  CHECK_THROWS_WITH(options.set("extend", "first"), ContainsSubstring("expected the number of a slot"));
  CHECK_FALSE(options.set("unknown", "1"));
  CHECK_THROWS_WITH(options.set("sector-size", "1024"), ContainsSubstring("expected 512 or 4096"));
  CHECK_THROWS_WITH(options.set("table", ""), ContainsSubstring("expected primary or backup"));
}

TEST_CASE("A name is given once, and is neither empty nor standard input")
{
  DiskOptions options;
  CHECK_THROWS_WITH(options.set("file", ""), ContainsSubstring("empty"));
  CHECK_THROWS_WITH(options.set("file", "-"), ContainsSubstring("standard input"));
  CHECK(options.set("file", "a"));
  CHECK_THROWS_WITH(options.set("file", "b"), ContainsSubstring("given twice"));
}

TEST_CASE("Exactly one of size and reference is wanted")
{
  const MemorySource image(std::vector<std::byte>(4096));
  DiskOptions neither, both, relative;
  CHECK_THROWS_WITH(wanted_size(neither, image), ContainsSubstring("neither given"));
  both.size = "1M", both.reference = "/dev/null";
  CHECK_THROWS_WITH(wanted_size(both, image), ContainsSubstring("both given"));
  relative.size = "+1K";
  CHECK(wanted_size(relative, image).bytes == 5120);
}

TEST_CASE("A size of one dash is no standard input, and no size")
{
  const MemorySource image(std::vector<std::byte>(4096));
  DiskOptions options;
  CHECK(options.set("size", "-"));
  CHECK_THROWS_WITH(wanted_size(options, image), ContainsSubstring("expected a number"));
}
