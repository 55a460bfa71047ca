// SPDX-License-Identifier: BSD-3-Clause
#include "core/repair/in_use.h"

#include "core/error.h"
#include "tests/unit/catch2.h"
#include "tests/unit/served_disk.h"

using namespace gptgrow;

namespace {

constexpr std::uint64_t kSectors = 700;

std::vector<std::byte> disk_bytes()
{
  std::vector<std::byte> bytes = two_partitions().bytes();
  bytes.resize(kSectors * 512);
  return bytes;
}

KernelPartition partition(std::uint32_t number, std::uint64_t first, std::uint64_t count)
{
  return {number, 0, fmt::format("/dev/sdb{}", number), {first * 512, count * 512}};
}

std::string refusal(const std::vector<KernelPartition>& kernel)
{
  const MemorySource disk(disk_bytes());
  try {
    check_kernel_agrees(disk, kernel, plan_in_place(disk, {.extend = SlotToExtend{}}));
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("A partition is extended to the end of its disk, and the end of the table goes there")
{
  const MemorySource disk(disk_bytes());
  const RepairPlan plan = plan_in_place(disk, {.extend = SlotToExtend{3}});
  // LastUsableLBA is 700 - 34.
  CHECK(plan.extension == Extension{3, Lba{200}, Lba{399}, Lba{663}});
  CHECK(extended_range(plan) == ByteRange{200 * 512, 464 * 512});
  std::vector<std::string> order;
  for (const auto& write : plan.writes)
    order.push_back(write.what);
  CHECK(order == std::vector<std::string>{"backup header", "backup array", "MBR", "old backup array",
                                          "old backup header", "backup header", "primary array", "primary header"});
}

TEST_CASE("An old backup in a partition is not made zeros")
{
  const TestDisk disk{.sectors = 700, .entries = {{1, 48, 99, 1}, {3, 200, 511, 3}}};
  CHECK_THROWS_WITH(plan_in_place(MemorySource(disk.bytes()), {.extend = SlotToExtend{}}),
                    ContainsSubstring("left behind, at byte 245248, lies in a partition"));
}

TEST_CASE("While partitions are in use, the kernel must have those of the table")
{
  const auto first = partition(1, 48, 52), third = partition(3, 200, 200);
  CHECK(refusal({first, third}).empty());
  CHECK(refusal({third}).empty());
  CHECK(refusal({first, partition(3, 200, 100)}).empty());

  CHECK_THAT(refusal({first}), ContainsSubstring("has none of number 3"));
  CHECK_THAT(refusal({}), ContainsSubstring("has none of number 3"));
  CHECK_THAT(refusal({first, partition(3, 208, 192)}), ContainsSubstring("expected 102400-204799"));
  CHECK_THAT(refusal({first, partition(3, 200, 464)}),
             ContainsSubstring("the old backup array would be at byte 245248"));
  CHECK_THAT(refusal({first, partition(3, 200, 465)}), ContainsSubstring("the kernel has partition 3"));
  CHECK_THAT(refusal({third, partition(4, 663, 1)}), ContainsSubstring("would grow into /dev/sdb4"));
  CHECK(refusal({third, partition(4, 664, 2)}).empty());
  CHECK_THAT(refusal({third, partition(4, 20, 1)}), ContainsSubstring("the primary array would be at byte 1024"));
  CHECK_THAT(refusal({third, partition(4, 667, 1)}), ContainsSubstring("the backup array would be"));
  CHECK_THAT(refusal({third, partition(4, 666, 30)}), ContainsSubstring("the kernel uses another table"));
}
