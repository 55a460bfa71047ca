// SPDX-License-Identifier: BSD-3-Clause
#include "cli/slot_contents.h"

#include "cli/command.h"

#include "core/target/kernel_partitions.h"

#include <fmt/format.h>

namespace gptgrow {

SlotContents contents_of_slot(const FileSource& disk, const Extension& extension, std::uint32_t sector_size_bytes)
{
  const ByteRange range =
      bytes_of(extension.first_lba, extension.before.value - extension.first_lba.value + 1, sector_size_bytes);
  std::string device, mount_point;
  for (const KernelPartition& partition : kernel_partitions(disk))
    if (partition.number == extension.slot && partition.range.offset == range.offset) {
      device = partition.path;
      mount_point = mount_point_of(partition);
    }
  const auto quoted = [](const std::string& path) { return path.empty() ? path : shell_word(path); };
  std::string type = type_in(disk, range);
  Growing how = growing(type, quoted(device), quoted(mount_point));
  return {std::move(type), std::move(how)};
}

std::string in_words(std::uint32_t slot, const SlotContents& contents)
{
  const Growing& growing = contents.growing;
  if (contents.type.empty())
    return fmt::format("slot {}: {}; what is in it is not grown", slot, growing.remark);
  if (growing.command.empty())
    return fmt::format("slot {} holds {}, which is not grown: {}", slot, contents.type, growing.remark);
  return fmt::format("slot {} holds {}; to grow it: {} ({})", slot, contents.type, growing.command, growing.remark);
}

}  // namespace gptgrow
