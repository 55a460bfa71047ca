// SPDX-License-Identifier: BSD-3-Clause
#include "core/repair/writes.h"

#include <algorithm>

namespace gptgrow {

namespace {

/// In units that a disk writes as a whole.
bool is_known_or_zero(const std::vector<std::byte>& disk, const std::vector<std::byte>& image)
{
  for (std::size_t at = 0; at < disk.size(); at += kAtomicBytes) {
    const std::size_t size = std::min(kAtomicBytes, disk.size() - at);
    const auto part = [&](const std::vector<std::byte>& bytes) { return std::span(bytes).subspan(at, size); };
    if (!is_zero(part(disk)) && !std::ranges::equal(part(disk), part(image)))
      return false;
  }
  return true;
}

}  // namespace

void Writes::add(std::string what, std::uint64_t offset, std::span<const std::byte> bytes)
{
  std::vector<std::byte> before = read_bytes(disk_, {offset, bytes.size()});
  if (std::ranges::equal(before, bytes))
    return;
  writes_.push_back({std::move(what), offset, std::move(before), {bytes.begin(), bytes.end()}});
  disk_.put(offset, bytes);
}

bool Writes::changes(const Structure& structure) const
{
  return read_bytes(disk_, structure.range()) != structure.bytes;
}

bool is_removable(const Source& disk, const Gpt& gpt, const Source& image, const std::vector<Entry>& entries)
{
  return std::ranges::all_of(gpt.old_backup, [&](const Structure& structure) {
    const bool is_data = std::ranges::any_of(entries, [&](const Entry& entry) {
      return overlap(structure.range(), bytes_of(entry, gpt.sector_size_bytes, disk.size_bytes()));
    });
    return !is_data && is_known_or_zero(read_bytes(disk, structure.range()), read_bytes(image, structure.range()));
  });
}

RepairPlan plan_of(const Source& disk, const Gpt& gpt, Writes writes)
{
  return {.disk_size_bytes = disk.size_bytes(),
          .sector_size_bytes = gpt.sector_size_bytes,
          .writes = writes.take(),
          .changes = changes(disk, gpt),
          .overwritten = {},
          .kept_slots = {},
          .extension = {},
          .warnings = {}};
}

void write_and_check(const std::vector<Write>& writes, Target& target)
{
  for (const Write& write : writes) {
    target.write(write.offset, write.after);
    target.flush();
  }
  for (auto write = writes.begin(); write != writes.end(); ++write) {
    if (std::any_of(write + 1, writes.end(), [&](const Write& later) { return later.range() == write->range(); }))
      continue;
    std::vector<std::byte> found(write->after.size());
    target.read(write->offset, found);
    const auto [wrong, expected] = std::ranges::mismatch(found, write->after);
    if (wrong != found.end())
      refuse("the {} does not hold what was written: byte {} is 0x{:02x}, expected 0x{:02x}; the disk is failing, or "
             "something else writes to it",
             write->what, write->offset + static_cast<std::uint64_t>(wrong - found.begin()),
             std::to_integer<unsigned>(*wrong), std::to_integer<unsigned>(*expected));
  }
}

}  // namespace gptgrow
