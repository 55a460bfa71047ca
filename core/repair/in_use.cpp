// SPDX-License-Identifier: BSD-3-Clause
#include "core/repair/in_use.h"

#include "core/error.h"

#include <algorithm>

namespace gptgrow {

namespace {

constexpr const char* kNothing = "the kernel uses another table than the disk has; nothing is written";

ByteRange range_of(const RepairPlan& plan, Lba last_lba)
{
  const Extension& extension = *plan.extension;
  return bytes_of(extension.first_lba, last_lba.value - extension.first_lba.value + 1, plan.sector_size_bytes);
}

}  // namespace

ByteRange extended_range(const RepairPlan& plan)
{
  return range_of(plan, plan.extension->after);
}

void check_kernel_agrees(const Source& disk, const std::vector<KernelPartition>& kernel, const RepairPlan& plan)
{
  const std::uint32_t slot = plan.extension->slot;
  const ByteRange before = range_of(plan, plan.extension->before), after = extended_range(plan);
  const auto same = std::ranges::find(kernel, slot, &KernelPartition::number);
  if (same == kernel.end())
    refuse(
        "{}: its partitions are in use, and the kernel has none of number {}, expected that of slot {} at byte {}: {}",
        disk.name(), slot, slot, before.offset, kNothing);
  // After a run that was cut off, or that the kernel was not told of, it may still have the old length.
  if (same->range.offset != before.offset || same->range.size > after.size)
    refuse("{}: the kernel has partition {} at bytes {}-{}, expected {}-{}: {}", disk.name(), slot, same->range.offset,
           same->range.end() - 1, before.offset, before.end() - 1, kNothing);
  for (const KernelPartition& partition : kernel) {
    if (partition.number != slot && overlap(partition.range, {before.end(), after.end() - before.end()}))
      refuse("{}: slot {} would grow into {}, bytes {}-{}: {}", disk.name(), slot, partition.path,
             partition.range.offset, partition.range.end() - 1, kNothing);
    for (const Write& write : plan.writes)
      if (overlap(partition.range, write.range()))
        refuse("{}: the {} would be at byte {}, which is in {}, bytes {}-{}: {}", disk.name(), write.what, write.offset,
               partition.path, partition.range.offset, partition.range.end() - 1, kNothing);
  }
}

}  // namespace gptgrow
