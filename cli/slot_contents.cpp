// SPDX-License-Identifier: BSD-3-Clause
#include "cli/slot_contents.h"

#include "cli/command.h"

#include "core/target/kernel_partitions.h"

#include <fmt/format.h>

namespace gptgrow {

SlotContents contents_of_slot(const FileSource& disk, const Extension& extension, std::uint32_t sector_size_bytes)
{
  const auto up_to = [&](Lba last) {
    return bytes_of(extension.first_lba, last.value - extension.first_lba.value + 1, sector_size_bytes);
  };
  const ByteRange range = up_to(extension.before);
  std::string device, mount_point;
  for (const KernelPartition& partition : kernel_partitions(disk))
    if (partition.number == extension.slot && partition.range.offset == range.offset) {
      device = partition.path;
      mount_point = mount_point_of(partition);
    }
  const auto quoted = [](const std::string& path) { return path.empty() ? path : shell_word(path); };
  Inside inside = what_is_in(disk, range, up_to(extension.after));
  Growing how = growing(inside.type, quoted(device), quoted(mount_point), inside.is_found_from_end);
  return {std::move(inside.type), std::move(inside.version), std::move(how)};
}

std::string in_words(std::uint32_t slot, const SlotContents& contents)
{
  const Growing& growing = contents.growing;
  if (contents.type.empty())
    return fmt::format("slot {}: {}; what is in it is not grown", slot, growing.remark);
  const std::string what =
      growing.hides && !contents.version.empty() ? contents.type + ' ' + contents.version : contents.type;
  if (growing.command.empty())
    return fmt::format("slot {} holds {}, which is not grown: {}", slot, what, growing.remark);
  return fmt::format("slot {} holds {}; to grow it: {} ({})", slot, what, growing.command, growing.remark);
}

}  // namespace gptgrow
