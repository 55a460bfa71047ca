// SPDX-License-Identifier: BSD-3-Clause
#include "core/stream/receiving.h"

#include "tests/unit/packed_image.h"

using namespace gptgrow;

TEST_CASE("What lies behind the end of the target is not written, and its end is kept")
{
  const Packed image(mostly_empty().bytes());
  Recorder target(1000 * 512);
  const auto streamed = image.received(target);
  CHECK(target.written.back().end() <= target.size_bytes());
  CHECK(read_bytes(*streamed, {4063 * 512, 33 * 512}) ==
        std::vector<std::byte>(image.disk.end() - 33 * 512, image.disk.end()));
}
