// SPDX-License-Identifier: BSD-3-Clause
#include "core/disk/layout.h"

#include "core/disk/size.h"
#include "core/error.h"
#include "core/gpt/mbr.h"

namespace gptgrow {

namespace {

/// What moves with the end of the disk, in the image's own LBAs. Signed: a nonsensical AlternateLBA can leave no room
/// in front of it, and the tail still moves rigidly to where there is room.
struct Tail {
  std::int64_t last_usable;
  std::int64_t array;
  std::int64_t header;
};

/// An EndingLBA may be any number: what lies beyond every disk is taken back so far that sums stay in range.
std::int64_t number(Lba lba)
{
  return static_cast<std::int64_t>(std::min(lba.value, std::uint64_t{1} << 62));
}

Lba moved(std::int64_t lba, std::int64_t delta)
{
  return Lba{static_cast<std::uint64_t>(lba + delta)};
}

Tail tail_of(const Table& table)
{
  const std::int64_t header = number(table.primary.alternate_lba());
  const std::int64_t array = table.backup ? number(table.backup->partition_entry_lba())
                                          : header - static_cast<std::int64_t>(table.primary.array_sectors());
  return {std::min(number(table.primary.last_usable_lba()), array - 1), array, header};
}

/// "size 512", or "size 512, that of /dev/sdb,".
std::string words(const WantedSize& size)
{
  return size.of.empty() ? fmt::format("size {}", size.bytes) : message("size {}, that of {},", size.bytes, size.of);
}

void check_size(const Source& image, const WantedSize& size, std::uint32_t sector_size_bytes)
{
  const std::uint64_t size_bytes = size.bytes;
  if (size_bytes > kMaxDiskSizeBytes)
    refuse("{}: {} is more than {} bytes, the largest possible", image.name(), words(size), kMaxDiskSizeBytes);
  const std::uint64_t below = size_bytes - size_bytes % sector_size_bytes;
  if (below == size_bytes)
    return;
  const std::uint64_t above = below + sector_size_bytes;
  refuse("{}: {} is not a multiple of the {}-byte sector; the nearest are {}{}", image.name(), words(size),
         sector_size_bytes, below, above > kMaxDiskSizeBytes ? "" : fmt::format(" and {}", above));
}

void check_not_truncated(const Source& image, const Table& table)
{
  const Lba end{image.size_bytes() / table.sector_size_bytes};
  for (const Entry& entry : table.used_entries())
    if (entry.last_lba >= end)
      refuse_with({"truncated", "allow", "would serve zeros there"},
                  "{}: slot {}: EndingLBA {}, expected below {}, where the file of {} bytes ends: data is missing",
                  image.name(), entry.slot, entry.last_lba.value, end.value, image.size_bytes());
}

/// A move of the tail at which all fits, and the entry that kept it from being smaller; none: the structures themselves.
struct Fit {
  std::int64_t delta;
  std::optional<Entry> in_the_way;
  bool overlaps = false;  // it is not too long, but the new backup would lie on it
};

/// The moves, first to last, that would lay the new backup over data of an entry.
struct Blocked {
  std::int64_t first;
  std::int64_t last;
  const Entry* entry;
};

/// Where the new backup would lie on an entry that reaches into the tail; what the old valid backup covers is no data.
/// Sorted by the first move.
std::vector<Blocked> blocked_moves(const Table& table, const Tail& tail, std::span<const Entry> entries)
{
  const std::int64_t array_sectors = static_cast<std::int64_t>(table.primary.array_sectors());
  const std::int64_t array_end = tail.array + array_sectors;
  std::vector<Blocked> blocked;
  const auto block = [&](const Entry& entry, std::int64_t first, std::int64_t last) {
    first = std::max(first, number(entry.first_lba));
    last = std::min(last, number(entry.last_lba));
    if (first > last)
      return;
    blocked.push_back({first - array_end + 1, last - tail.array, &entry});
    blocked.push_back({first - tail.header, last - tail.header, &entry});
  };
  for (const Entry& entry : entries) {
    if (number(entry.last_lba) < tail.array)
      continue;
    if (table.backup) {
      block(entry, array_end, tail.header - 1);
      block(entry, tail.header + 1, INT64_MAX);
    } else {
      block(entry, tail.array, INT64_MAX);
    }
  }
  std::ranges::sort(blocked, {}, &Blocked::first);
  return blocked;
}

/// The smallest move from `delta` on at which all fits. Shrinking, every entry must end inside the usable area. Growing,
/// entries outside it are served as they are, but not cut off, and the new backup must not lie on their data.
Fit next_fit(const Table& table, const Tail& tail, std::int64_t delta)
{
  const std::vector<Entry> entries = table.used_entries();
  Fit fit{delta, std::nullopt};
  const auto at_least = [&](std::int64_t needed, const Entry* entry, bool overlaps = false) {
    if (fit.delta < needed)
      fit = {needed, entry ? std::optional(*entry) : std::nullopt, overlaps};
  };
  at_least(number(table.primary.first_usable_lba()) - tail.last_usable, nullptr);
  for (const Entry& entry : entries) {
    at_least(std::min<std::int64_t>(number(entry.last_lba) - tail.last_usable, 0), &entry);
    at_least(number(entry.last_lba) - tail.header, &entry);
  }
  for (const Blocked& blocked : blocked_moves(table, tail, entries))
    if (blocked.first <= fit.delta)
      at_least(blocked.last + 1, blocked.entry, true);
  return fit;
}

void check_fit(const Source& image, const Table& table, const Tail& tail, std::int64_t delta, const WantedSize& size)
{
  const Fit fit = next_fit(table, tail, delta);
  if (fit.delta == delta)
    return;
  const auto size_at = [&](std::int64_t d) { return (moved(tail.header, d).value + 1) * table.sector_size_bytes; };
  const std::string reason =
      fit.in_the_way ? fmt::format("slot {} ends at LBA {}, ", fit.in_the_way->slot, fit.in_the_way->last_lba.value)
                     : "";
  const std::string smallest = moved(tail.header, fit.delta) > max_lba(table.sector_size_bytes)
                                   ? "no size is possible"
                                   : fmt::format("the {} possible size is {}", fit.overlaps ? "next" : "smallest",
                                                 format_size(size_at(fit.delta)));
  refuse("{}: {} {}: {}LastUsableLBA would be {} and the backup table would begin at LBA {}; {}", image.name(),
         words(size), fit.overlaps ? "would put the backup table on a partition" : "is too small", reason,
         tail.last_usable + delta, tail.array + delta, smallest);
}

/// Behind the image and every partition, up to `end`, where the backup table begins.
ByteRange find_free_space(const Source& image, const Table& table, std::uint64_t end)
{
  std::uint64_t first = image.size_bytes();
  for (const Entry& entry : table.used_entries())
    first = std::max(first, bytes_of(entry, table.sector_size_bytes, end).end());
  return {std::min(first, end), end - std::min(first, end)};
}

/// Builds the regions of a layout from the bottom up.
class Overlay {
public:
  Overlay(const Source& image, std::uint32_t sector_size_bytes, Layout& layout)
      : image_size_bytes_(image.size_bytes()), sector_size_bytes_(sector_size_bytes), layout_(layout)
  {
  }

  /// `to` is served from the image's bytes at `from`, with zeros past the end of the file.
  void image_bytes(Role role, ByteRange to, std::uint64_t from)
  {
    hole(role, to);
    to.size = clip({from, to.size}, image_size_bytes_).size;
    layout_.regions.overlay({clip(to, layout_.regions.size_bytes()), Origin::image, from, role});
  }

  void image_sectors(Role role, Lba to, std::uint64_t count, Lba from)
  {
    image_bytes(role, bytes_of(to, count, sector_size_bytes_), bytes_of(from, count, sector_size_bytes_).offset);
  }

  void hole(Role role, ByteRange range)
  {
    layout_.regions.overlay({clip(range, layout_.regions.size_bytes()), Origin::hole, 0, role});
  }

  void zero_sectors(Role role, Lba first, std::uint64_t count)
  {
    hole(role, bytes_of(first, count, sector_size_bytes_));
  }

  void own_sector(Role role, Lba at, std::span<const std::byte> sector)
  {
    layout_.put_own(role, bytes_of(at, 1, sector_size_bytes_).offset, sector);
  }

private:
  std::uint64_t image_size_bytes_;
  std::uint32_t sector_size_bytes_;
  Layout& layout_;
};

}  // namespace

void Layout::put_own(Role role, std::uint64_t offset, std::span<const std::byte> bytes)
{
  regions.overlay({{offset, bytes.size()}, Origin::own, own_bytes.size(), role});
  own_bytes.insert(own_bytes.end(), bytes.begin(), bytes.end());
}

WantedSize size_of(const Source& reference)
{
  if (reference.size_bytes() == 0)
    refuse("{}: 0 bytes long, expected the file or device whose size the disk gets", reference.name());
  return {reference.size_bytes(), reference.name(), reference.device_sector_size_bytes()};
}

WantedSize smallest_size(const Source& image, const Table& table)
{
  const Tail tail = tail_of(table);
  const Lba last = moved(tail.header, next_fit(table, tail, -tail.header).delta);
  if (last > max_lba(table.sector_size_bytes))
    refuse("{}: no size is possible: its partitions end at the last byte that there can be", image.name());
  return {(last.value + 1) * table.sector_size_bytes};
}

Layout plan_layout(const Source& image, const Table& table, const WantedSize& size, const Policy& policy)
{
  const std::uint64_t size_bytes = size.bytes;
  const std::uint32_t sector_size_bytes = table.sector_size_bytes;
  check_size(image, size, sector_size_bytes);
  if (policy.truncated == Truncated::refuse)
    check_not_truncated(image, table);
  const Tail tail = tail_of(table);
  const std::int64_t delta = static_cast<std::int64_t>(size_bytes / sector_size_bytes) - 1 - tail.header;
  check_fit(image, table, tail, delta, size);

  const Lba last_lba = moved(tail.header, delta);
  const Lba last_usable_lba = moved(tail.last_usable, delta);
  const Lba backup_array_lba = moved(tail.array, delta);
  const std::uint64_t array_sectors = table.primary.array_sectors();

  Header primary = table.primary;
  primary.set_alternate_lba(last_lba);
  primary.set_last_usable_lba(last_usable_lba);
  primary.seal();

  Header backup = table.backup.value_or(table.primary);
  backup.set_my_lba(last_lba);
  backup.set_alternate_lba(kPrimaryLba);
  backup.set_partition_entry_lba(backup_array_lba);
  backup.set_last_usable_lba(last_usable_lba);
  backup.seal();

  std::vector<std::byte> mbr(sector_size_bytes);
  image.read(0, mbr);
  move_protective_record(mbr, table.primary.last_usable_lba(), delta);

  Layout layout{.primary = std::move(primary),
                .backup = std::move(backup),
                .own_bytes = {},
                .free_space = find_free_space(image, table, bytes_of(backup_array_lba, 0, sector_size_bytes).offset),
                .regions = Regions(size_bytes)};
  // One line for each structure, from the bottom up.
  Overlay overlay(image, sector_size_bytes, layout);
  overlay.image_bytes(Role::content, {0, size_bytes}, 0);
  overlay.hole(Role::free_space, layout.free_space);
  if (table.backup && delta != 0 && policy.old_backup == OldBackup::zero) {
    overlay.zero_sectors(Role::old_backup_array, table.backup->partition_entry_lba(), array_sectors);
    overlay.zero_sectors(Role::old_backup_header, table.backup->my_lba(), 1);
  }
  overlay.own_sector(Role::mbr, Lba{0}, mbr);
  overlay.own_sector(Role::primary_header, kPrimaryLba, layout.primary.sector());
  overlay.image_sectors(Role::primary_array, layout.primary.partition_entry_lba(), array_sectors,
                        table.array_source_lba);
  overlay.image_sectors(Role::backup_array, backup_array_lba, array_sectors,
                        table.backup && delta == 0 ? backup_array_lba : table.array_source_lba);
  overlay.own_sector(Role::backup_header, last_lba, layout.backup.sector());
  return layout;
}

}  // namespace gptgrow
