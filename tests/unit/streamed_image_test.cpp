// SPDX-License-Identifier: BSD-3-Clause
#include "core/stream/streamed_image.h"

#include "tests/unit/packed_image.h"

using namespace gptgrow;

TEST_CASE("What lies behind the end of the target, and was not kept, cannot be read again")
{
  TestDisk long_disk = two_partitions();
  long_disk.sectors = long_disk.disk_end = 20'000;
  const Packed image(long_disk.bytes());
  Recorder target(1000 * 512);
  const auto streamed = image.received(target);
  CHECK_THROWS_WITH(read_bytes(*streamed, {2000 * 512, 512}),
                    ContainsSubstring("lie behind the end of target and are needed again"));
}
