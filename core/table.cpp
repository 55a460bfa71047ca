// SPDX-License-Identifier: BSD-3-Clause
#include "core/table.h"

#include "core/error.h"

#include <array>

namespace gptgrow {

namespace {

constexpr std::array<std::uint32_t, 2> kSectorSizesBytes{512, 4096};

/// Warnings of one kind that are listed one by one; a hostile table could bring a hundred thousand.
constexpr std::size_t kMaxListed = 32;

/// Where the array of a header without problems stands.
ByteRange array_range(const Header& header, Lba lba)
{
  return {bytes_of(lba, 1, header.sector_size_bytes()).offset, header.array_size_bytes()};
}

}  // namespace

FoundTable read_table(const Image& image, std::uint32_t sector_size_bytes, Lba at)
{
  Header header(read_bytes(image, bytes_of(at, 1, sector_size_bytes)));
  FoundTable table{at, std::move(header), {}, {}};
  table.problems = problems(table.header, at);
  if (!table.valid())
    return table;
  const ByteRange range = array_range(table.header, table.header.partition_entry_lba());
  if (range.end() > image.size_bytes()) {
    table.problems.push_back({"partition entry array", fmt::format("ends at byte {}", range.end()),
                              fmt::format("inside the file of {} bytes", image.size_bytes())});
    return table;
  }
  table.array = read_bytes(image, range);
  if (const std::uint32_t crc = crc32(table.array); crc != table.header.array_crc32())
    table.problems.push_back({"partition entry array: CRC", fmt::format("0x{:08x}", table.header.array_crc32()),
                              fmt::format("0x{:08x}", crc)});
  return table;
}

namespace {

std::optional<FoundTable> find_backup(const Image& image, const FoundTable& primary, Lba last_lba)
{
  const std::uint32_t sector_size_bytes = primary.header.sector_size_bytes();
  const auto read_at = [&](Lba at) -> std::optional<FoundTable> {
    if (at <= kPrimaryLba || at > last_lba)
      return std::nullopt;
    return read_table(image, sector_size_bytes, at);
  };
  std::optional<FoundTable> named, last = read_at(last_lba);
  if (primary.header.has_signature())
    named = read_at(primary.header.alternate_lba());
  // A primary that was cut off while it was rewritten may still name the place of an older backup.
  const auto places = primary.valid() ? std::array{&named, &last} : std::array{&last, &named};
  for (auto* table : places)
    if (*table && (*table)->valid())
      return std::move(*table);
  for (auto* table : places)
    if (*table && (*table)->header.has_signature())
      return std::move(*table);
  return std::nullopt;
}

std::optional<FoundTables> find_tables_at(const Image& image, std::uint32_t sector_size_bytes)
{
  const std::uint64_t sectors = image.size_bytes() / sector_size_bytes;
  if (sectors <= kPrimaryLba.value)
    return std::nullopt;
  const Lba last_lba{sectors - 1};
  FoundTable primary = read_table(image, sector_size_bytes, kPrimaryLba);
  std::optional<FoundTable> backup = find_backup(image, primary, last_lba);
  return FoundTables{.sector_size_bytes = sector_size_bytes,
                     .sector_size_was_given = false,
                     .last_lba = last_lba,
                     .primary = std::move(primary),
                     .backup = std::move(backup)};
}

std::string describe(const Problem& problem)
{
  return fmt::format("{} {}, expected {}", problem.field, problem.found, problem.expected);
}

std::string describe(const FoundTable& table)
{
  return fmt::format("{} header at LBA {}: {}", table.at == kPrimaryLba ? "primary" : "backup", table.at.value,
                     describe(table.problems.front()));
}

/// Whether the backup's array stands behind the primary's.
bool is_behind(const Header& backup, const Header& primary)
{
  return backup.partition_entry_lba().value >= primary.partition_entry_lba().value + primary.array_sectors();
}

/// The fields which a primary header and its backup have in common, but for the array's bytes.
bool same_disk(const Header& a, const Header& b)
{
  return a.revision() == b.revision() && a.first_usable_lba() == b.first_usable_lba() &&
         a.last_usable_lba() == b.last_usable_lba() && a.disk_guid() == b.disk_guid() &&
         a.entry_count() == b.entry_count() && a.entry_size_bytes() == b.entry_size_bytes() &&
         a.array_crc32() == b.array_crc32();
}

[[noreturn]] void refuse_primary(const Image& image, const FoundTables& found)
{
  const bool backup_serves = found.backup && found.backup->valid();
  if (!found.primary.header.has_signature() && !backup_serves)
    refuse("{}: no GPT: primary header at LBA 1 (byte {}): {}{}", image.path(), found.sector_size_bytes,
           describe(found.primary.problems.front()),
           found.sector_size_was_given ? "" : "; neither for 512 nor for 4096-byte sectors");
  if (backup_serves)
    refuse_with({"table", "backup", "would serve from it"}, "{}: {}; the backup at LBA {} is valid", image.path(),
                describe(found.primary), found.backup->at.value);
  refuse("{}: {}; there is no valid backup either", image.path(), describe(found.primary));
}

std::string describe_slot(const FoundTable& table, std::size_t index)
{
  const std::size_t size = table.header.entry_size_bytes();
  if ((index + 1) * size > table.array.size())
    return "no such slot";
  const auto entries = used_entries(std::span(table.array).subspan(index * size, size), table.header.entry_size_bytes());
  if (entries.empty())
    return "unused";
  return fmt::format("LBA {}-{}, type {}, GUID {}, attributes 0x{:x}", entries[0].first_lba.value,
                     entries[0].last_lba.value, to_string(entries[0].type_guid), to_string(entries[0].partition_guid),
                     entries[0].attributes);
}

/// How a valid backup that is no mirror differs, field by field and slot by slot.
void report_differences(const FoundTable& primary, const FoundTable& backup, std::vector<std::string>& warnings)
{
  const Header &a = primary.header, &b = backup.header;
  warnings.push_back(fmt::format("the backup at LBA {} is valid but differs from the primary, which is used; "
                                 "the new backup is made from the primary", backup.at.value));
  const auto field = [&](const char* name, const auto& in_primary, const auto& in_backup) {
    if (in_primary != in_backup)
      warnings.push_back(fmt::format("{}: primary {}, backup {}", name, in_primary, in_backup));
  };
  field("AlternateLBA of the primary and MyLBA of the backup", a.alternate_lba().value, b.my_lba().value);
  field("MyLBA of the primary and AlternateLBA of the backup", a.my_lba().value, b.alternate_lba().value);
  field("FirstUsableLBA", a.first_usable_lba().value, b.first_usable_lba().value);
  field("LastUsableLBA", a.last_usable_lba().value, b.last_usable_lba().value);
  field("DiskGUID", to_string(a.disk_guid()), to_string(b.disk_guid()));
  field("NumberOfPartitionEntries", a.entry_count(), b.entry_count());
  field("SizeOfPartitionEntry", a.entry_size_bytes(), b.entry_size_bytes());
  if (!is_behind(b, a))
    warnings.push_back(fmt::format("PartitionEntryLBA of the backup: {}, expected behind the primary array at LBA {}",
                                   b.partition_entry_lba().value, a.partition_entry_lba().value));

  const auto slot = [](const FoundTable& table, std::size_t index) {
    const std::size_t size = table.header.entry_size_bytes();
    const std::size_t offset = std::min(index * size, table.array.size());
    return std::span(table.array).subspan(offset, std::min(size, table.array.size() - offset));
  };
  std::size_t differing = 0;
  for (std::size_t index = 0; index < std::max(a.entry_count(), b.entry_count()); ++index) {
    const auto in_primary = slot(primary, index), in_backup = slot(backup, index);
    const auto first = std::ranges::mismatch(in_primary, in_backup).in1;
    if ((first == in_primary.end() && in_primary.size() == in_backup.size()) || ++differing > kMaxListed)
      continue;
    warnings.push_back(fmt::format("slot {}: primary {}; backup {}; from byte {} of the slot on", index + 1,
                                   describe_slot(primary, index), describe_slot(backup, index),
                                   first - in_primary.begin()));
  }
  if (differing > kMaxListed)
    warnings.push_back(fmt::format("{} more slots differ", differing - kMaxListed));
}

/// What the entries say that UEFI does not allow, though it can be served.
void check_entries(const Table& table, std::vector<std::string>& warnings)
{
  std::size_t count = 0;
  const auto warn = [&](std::string text) {
    if (++count <= kMaxListed)
      warnings.push_back(std::move(text));
  };
  std::vector<Entry> entries = table.used_entries();
  const Lba first_usable = table.primary.first_usable_lba(), last_usable = table.primary.last_usable_lba();
  for (const Entry& entry : entries) {
    if (entry.first_lba > entry.last_lba)
      warn(fmt::format("slot {}: StartingLBA {} is after EndingLBA {}", entry.slot, entry.first_lba.value,
                       entry.last_lba.value));
    else if (entry.first_lba < first_usable || entry.last_lba > last_usable)
      warn(fmt::format("slot {}: LBA {}-{} is not inside FirstUsableLBA {} to LastUsableLBA {}", entry.slot,
                       entry.first_lba.value, entry.last_lba.value, first_usable.value, last_usable.value));
  }
  std::ranges::sort(entries, {}, &Entry::first_lba);
  const Entry* reaching = nullptr;  // of those before, the one that ends last
  for (const Entry& entry : entries) {
    if (reaching && entry.first_lba <= reaching->last_lba)
      warn(fmt::format("slots {} and {} overlap: LBA {}-{} and {}-{}", reaching->slot, entry.slot,
                       reaching->first_lba.value, reaching->last_lba.value, entry.first_lba.value,
                       entry.last_lba.value));
    if (!reaching || entry.last_lba > reaching->last_lba)
      reaching = &entry;
  }
  if (count > kMaxListed)
    warnings.push_back(fmt::format("{} more warnings about entries", count - kMaxListed));
}

/// The primary table that `backup` mirrors; the array is left where the damaged primary has it, if it still does.
Table rebuild_primary(const Image& image, const FoundTables& found)
{
  const FoundTable& backup = *found.backup;
  Header header = backup.header;
  Lba array_lba{kPrimaryLba.value + 1}, source_lba = backup.header.partition_entry_lba();
  const auto fits = [&](Lba lba) {
    return lba > kPrimaryLba && lba < header.first_usable_lba() &&
           header.array_sectors() <= header.first_usable_lba().value - lba.value;
  };
  const Lba named = found.primary.header.partition_entry_lba();
  if (found.primary.header.has_signature() && fits(named) && array_range(header, named).end() <= image.size_bytes() &&
      crc32(read_bytes(image, array_range(header, named))) == header.array_crc32())
    array_lba = source_lba = named;
  if (!fits(array_lba))
    refuse("{}: backup header at LBA {}: FirstUsableLBA {}, expected at least {}: an array of {} sectors at LBA {} "
           "must fit before it", image.path(), backup.at.value, header.first_usable_lba().value,
           array_lba.value + header.array_sectors(), header.array_sectors(), array_lba.value);
  header.set_my_lba(kPrimaryLba);
  header.set_alternate_lba(backup.at);
  header.set_partition_entry_lba(array_lba);
  header.seal();
  if (!is_behind(backup.header, header))
    refuse("{}: backup header at LBA {}: PartitionEntryLBA {}, expected at least {}, behind the primary array",
           image.path(), backup.at.value, backup.header.partition_entry_lba().value,
           array_lba.value + header.array_sectors());
  return Table{.sector_size_bytes = found.sector_size_bytes,
               .primary = std::move(header),
               .array = backup.array,
               .array_source_lba = source_lba,
               .backup = backup.header,
               .warnings = {}};
}

}  // namespace

bool mirrors(const FoundTable& primary, const FoundTable& backup)
{
  return backup.valid() && backup.at == primary.header.alternate_lba() && backup.header.alternate_lba() == kPrimaryLba &&
         same_disk(primary.header, backup.header) && primary.array == backup.array &&
         is_behind(backup.header, primary.header);
}

FoundTables find_tables(const Image& image, std::optional<std::uint32_t> sector_size_bytes)
{
  // The kernel looks at a device's table with the device's own sectors only.
  std::array<std::uint32_t, 2> sizes = kSectorSizesBytes;
  if (image.device_sector_size_bytes() == sizes[1])
    std::swap(sizes[0], sizes[1]);
  std::vector<FoundTables> tried;
  for (const std::uint32_t size : sizes)
    if (!sector_size_bytes || *sector_size_bytes == size)
      if (auto found = find_tables_at(image, size))
        tried.push_back(std::move(*found));
  if (tried.empty())
    refuse("{}: no GPT: {} bytes long, too short for an MBR and a header", image.path(), image.size_bytes());

  const auto first_that = [&](auto condition) { return std::ranges::find_if(tried, condition); };
  auto best = first_that([](const FoundTables& found) { return found.primary.valid(); });
  if (best == tried.end())
    best = first_that([](const FoundTables& found) { return found.backup && found.backup->valid(); });
  if (best == tried.end())
    best = first_that([](const FoundTables& found) { return found.primary.header.has_signature(); });
  if (best == tried.end())
    best = tried.begin();
  best->sector_size_was_given = sector_size_bytes.has_value();
  return std::move(*best);
}

std::optional<std::string> sector_size_warning(const Table& table, std::uint32_t context_sector_size_bytes)
{
  if (table.sector_size_bytes == context_sector_size_bytes)
    return std::nullopt;
  return fmt::format("the table is for {}-byte sectors; a disk with {}-byte sectors does not show its partitions",
                     table.sector_size_bytes, context_sector_size_bytes);
}

Table choose_table(const Image& image, const FoundTables& found, TableChoice choice)
{
  if (choice == TableChoice::backup && !(found.backup && found.backup->valid()))
    refuse("{}: {}", image.path(),
           found.backup ? describe(*found.backup)
                        : fmt::format("no backup GPT: no signature in the last LBA, {}", found.last_lba.value));
  if (choice == TableChoice::primary && !found.primary.valid())
    refuse_primary(image, found);

  std::vector<std::string> warnings;
  const bool mirrored = found.primary.valid() && found.backup && mirrors(found.primary, *found.backup);
  Table table = choice == TableChoice::backup
                    ? rebuild_primary(image, found)
                    : Table{.sector_size_bytes = found.sector_size_bytes,
                            .primary = found.primary.header,
                            .array = found.primary.array,
                            .array_source_lba = found.primary.header.partition_entry_lba(),
                            .backup = mirrored ? std::optional(found.backup->header) : std::nullopt,
                            .warnings = {}};

  if (table.primary.alternate_lba() != found.last_lba)
    warnings.push_back(fmt::format("AlternateLBA is {}, the image's last LBA is {}",
                                   table.primary.alternate_lba().value, found.last_lba.value));
  if (choice == TableChoice::backup) {
    warnings.push_back(fmt::format("the primary table is rebuilt from the backup at LBA {}", found.backup->at.value));
    if (const Lba named = found.primary.header.alternate_lba();
        found.primary.header.has_signature() && named != found.backup->at && named > kPrimaryLba &&
        named <= found.last_lba && read_table(image, found.sector_size_bytes, named).valid())
      warnings.push_back(fmt::format("another valid backup, perhaps an older one, is at LBA {}", named.value));
  } else if (!found.backup) {
    warnings.push_back("no backup GPT was found; the new one is made from the primary");
  } else if (!found.backup->valid()) {
    warnings.push_back(describe(*found.backup) + "; the new backup is made from the primary");
  } else if (!mirrored) {
    report_differences(found.primary, *found.backup, warnings);
  }
  check_entries(table, warnings);
  table.warnings = std::move(warnings);
  return table;
}

}  // namespace gptgrow
