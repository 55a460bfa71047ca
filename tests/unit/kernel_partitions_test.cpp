// SPDX-License-Identifier: BSD-3-Clause
#include "core/target/kernel_partitions.h"

#include "tests/unit/catch2.h"
#include "tests/unit/loop_device.h"
#include "tests/unit/temporary_file.h"

using namespace gptgrow;

TEST_CASE("A file has no partitions that a kernel knows, and none that could be resized there")
{
  const TemporaryFile empty;
  const FileSource file(empty.path());
  CHECK(kernel_partitions(file).empty());
  CHECK_FALSE(resize_in_kernel(file, 1, {0, 512}));
}

TEST_CASE("The kernel's partitions have the numbers of their slots, and are as long as it was told last")
{
  const TemporaryFile file;
  file.resize(1 << 20);
  const auto loop = LoopDevice::over(file.path(), LO_FLAGS_PARTSCAN);
  if (!loop)
    return;
  REQUIRE(loop->add_partition(1, {48 * 512, 52 * 512}));
  REQUIRE(loop->add_partition(3, {200 * 512, 200 * 512}));
  const FileSource device(loop->path());
  const auto found = kernel_partitions(device);
  REQUIRE(found.size() == 2);
  CHECK(found[0].number == 1);
  CHECK(found[0].range == ByteRange{48 * 512, 52 * 512});
  CHECK(found[1].number == 3);
  CHECK(found[1].range == ByteRange{200 * 512, 200 * 512});
  CHECK(found[1].path == loop->path() + "p3");
  CHECK(mount_point_of(found[0]).empty());
  CHECK_FALSE(is_part_of_device(found[0]));

  CHECK(resize_in_kernel(device, 3, {200 * 512, 400 * 512}) == std::nullopt);
  CHECK(kernel_partitions(device)[1].range == ByteRange{200 * 512, 400 * 512});
  CHECK_THAT(resize_in_kernel(device, 7, {200 * 512, 512}).value_or(""),
             ContainsSubstring("the kernel has no partition 7"));
  // It would reach into the third.
  CHECK_THAT(resize_in_kernel(device, 1, {48 * 512, 300 * 512}).value_or(""),
             ContainsSubstring("did not take the new size of partition 1"));
  CHECK(kernel_partitions(device)[0].range == ByteRange{48 * 512, 52 * 512});
}

TEST_CASE("A device without a table has no partitions")
{
  const TemporaryFile file;
  file.resize(1 << 20);
  if (const auto loop = LoopDevice::over(file.path(), LO_FLAGS_PARTSCAN))
    CHECK(kernel_partitions(FileSource(loop->path())).empty());
}
