// SPDX-License-Identifier: BSD-3-Clause
#include "core/report/inspection.h"
#include "tests/unit/catch2.h"
#include "tests/unit/served_disk.h"

using namespace gptgrow;

TEST_CASE("A device with sectors of another size is warned about")
{
  const auto warned = [](std::uint32_t device_sector_size_bytes) {
    const auto inspection = inspect(MemorySource(two_partitions().bytes(), device_sector_size_bytes), std::nullopt);
    return std::ranges::any_of(inspection.warnings, [](const std::string& warning) {
      return warning.find("a disk with 4096-byte sectors does not show its partitions") != std::string::npos;
    });
  };
  CHECK(warned(4096));
  CHECK_FALSE(warned(512));
  CHECK_FALSE(warned(0));
}
