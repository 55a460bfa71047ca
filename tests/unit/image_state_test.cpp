// SPDX-License-Identifier: BSD-3-Clause
#include "core/restore/image_state.h"

#include "tests/unit/served_disk.h"

using namespace gptgrow;

TEST_CASE("An image of another version is another image")
{
  const auto image = in_memory(two_partitions().bytes());
  const Disk disk(image, {1000 * 512}, {});
  image->set_version("modified 1");
  const std::string before = image_identity(disk, content_state(disk));
  image->set_version("modified 2");
  CHECK(image_identity(disk, content_state(disk)) != before);
}
