// SPDX-License-Identifier: BSD-3-Clause
#include "core/target/sysfs.h"

#include "tests/unit/catch2.h"
#include "tests/unit/loop_device.h"
#include "tests/unit/temporary_file.h"

#include <sys/sysmacros.h>

using namespace gptgrow;

TEST_CASE("A file of sysfs is its first line, and nothing where there is none")
{
  const TemporaryFile file;
  CHECK(line_of(file.path()).empty());
  file.write(0, "one \ntwo\n");
  CHECK(line_of(file.path()) == "one ");
  CHECK(line_of("/nonexistent").empty());
  CHECK(line_of("/").empty());
}

TEST_CASE("The folder of a device is the one that its number leads to")
{
  CHECK(sysfs_folder(makedev(4095, 77)) == "/sys/dev/block/4095:77");
  const TemporaryFile file;
  file.resize(1 << 20);
  const auto loop = LoopDevice::over(file.path());
  if (!loop)
    return;
  const std::filesystem::path folder = sysfs_folder(loop->number());
  CHECK("/dev/" + folder.filename().string() == loop->path());
  CHECK(folder == std::filesystem::canonical(folder));
  CHECK(line_of(folder / "size") == "2048");
  CHECK(line_of(folder / "loop/backing_file") == file.path());
}
