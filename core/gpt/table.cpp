// SPDX-License-Identifier: BSD-3-Clause
#include "core/gpt/table.h"

#include "core/error.h"
#include "core/gpt/table_warnings.h"
#include "core/gpt/which_backup.h"
#include "core/source/looks_like.h"

#include <array>
#include <iterator>

namespace gptgrow {

namespace {

constexpr std::array<std::uint32_t, 2> kSectorSizesBytes{512, 4096};

}  // namespace

FoundTable read_table(const Source& image, std::uint32_t sector_size_bytes, Lba at, const FoundTable* known)
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
  table.array = EntryArray(read_bytes(image, range));
  const bool is_known = known && known->valid() && known->array == table.array;
  if (is_known)
    table.array = known->array;
  const std::uint32_t crc = is_known ? known->header.array_crc32() : crc32(table.array);
  if (crc != table.header.array_crc32())
    table.problems.push_back({"partition entry array: CRC", fmt::format("0x{:08x}", table.header.array_crc32()),
                              fmt::format("0x{:08x}", crc)});
  return table;
}

namespace {

std::optional<FoundTables> find_tables_at(const Source& image, std::uint32_t sector_size_bytes)
{
  const std::uint64_t sectors = image.size_bytes() / sector_size_bytes;
  if (sectors <= kPrimaryLba.value)
    return std::nullopt;
  const Lba last_lba{sectors - 1};
  FoundTables found{.sector_size_bytes = sector_size_bytes,
                    .sector_size_was_given = false,
                    .last_lba = last_lba,
                    .primary = read_table(image, sector_size_bytes, kPrimaryLba),
                    .backup = std::nullopt,
                    .rival = std::nullopt,
                    .strays = {}};
  find_backup(image, found);
  return found;
}

/// How much speaks for the sector size with which `found` was read. A header that was left by another use of the disk
/// has mostly lost its array.
int credit(const FoundTables& found)
{
  const bool has_backup = found.backup && found.backup->valid(), is_whole = has_right_crc(found.primary.header);
  if (found.primary.valid())
    return 5;
  if (is_whole)
    return has_backup ? 4 : 3;
  if (has_backup)
    return 2;
  return found.primary.header.has_signature() ? 1 : 0;
}

/// The fields which a primary header and its backup have in common, but for the array's bytes.
bool same_disk(const Header& a, const Header& b)
{
  return a.revision() == b.revision() && a.first_usable_lba() == b.first_usable_lba() &&
         a.last_usable_lba() == b.last_usable_lba() && a.disk_guid() == b.disk_guid() &&
         a.entry_count() == b.entry_count() && a.entry_size_bytes() == b.entry_size_bytes() &&
         a.array_crc32() == b.array_crc32();
}

std::string joined(const std::string& sentence)
{
  return sentence.empty() ? "" : "; " + sentence;
}

/// "; a; b"
std::string joined(const std::vector<std::string>& sentences)
{
  std::string text;
  for (const std::string& sentence : sentences)
    text += joined(sentence);
  return text;
}

std::string both_backups(const FoundTables& found)
{
  return fmt::format("two valid backup tables differ, and nothing tells which one is this disk's: {}; {}",
                     describe_contents(*found.backup), describe_contents(*found.rival));
}

std::string what_backup_gives(const FoundTables& found)
{
  if (!found.backup || !found.backup->valid())
    return "there is no valid backup either";
  if (found.rival)
    return both_backups(found);
  const bool foreign =
      has_right_crc(found.primary.header) && found.primary.header.disk_guid() != found.backup->header.disk_guid();
  return fmt::format("the backup at LBA {} is valid{}", found.backup->at.value,
                     foreign ? fmt::format(", but it is of another disk: DiskGUID {}, expected {}",
                                           guid_text(found.backup->header.disk_guid()),
                                           guid_text(found.primary.header.disk_guid()))
                             : "");
}

[[noreturn]] void refuse_primary(const Source& image, const FoundTables& found)
{
  const bool backup_serves = found.backup && found.backup->valid();
  const std::string explained = joined(explain_damage(image, found)) + joined(stray_warnings(found, nullptr));
  if (!found.primary.header.has_signature() && !backup_serves)
    refuse("{}: no GPT: primary header at LBA 1 (byte {}): {}{}{}{}", image.name(), found.sector_size_bytes,
           describe(found.primary.problems.front()),
           found.sector_size_was_given ? "" : "; neither for 512 nor for 4096-byte sectors", explained,
           joined(looks_like(image)));
  const std::string text =
      message("{}: {}; {}{}", image.name(), describe(found.primary), what_backup_gives(found), explained);
  if (backup_serves && !found.rival)
    throw Error(text, {{"table", "backup", "would serve from it"}});
  throw Error(text);
}

/// The primary table that `backup` mirrors; its array goes where the damaged primary has it, if that can be known.
Table rebuild_primary(const Source& image, const FoundTables& found)
{
  const FoundTable& backup = *found.backup;
  Header header = backup.header;
  Lba array_lba{kPrimaryLba.value + 1}, source_lba = backup.header.partition_entry_lba();
  const auto fits = [&](Lba lba) {
    return lba > kPrimaryLba && lba < header.first_usable_lba() &&
           header.array_sectors() <= header.first_usable_lba().value - lba.value;
  };
  const Lba named = found.primary.header.partition_entry_lba();
  if (fits(named)) {
    const bool is_there = array_is_at(image, header, named);
    if (is_there || has_right_crc(found.primary.header))
      array_lba = named;
    if (is_there)
      source_lba = named;
  }
  if (!fits(array_lba))
    refuse("{}: backup header at LBA {}: FirstUsableLBA {}, expected at least {}: an array of {} sectors at LBA {} "
           "must fit before it",
           image.name(), backup.at.value, header.first_usable_lba().value, array_lba.value + header.array_sectors(),
           header.array_sectors(), array_lba.value);
  header.set_my_lba(kPrimaryLba);
  header.set_alternate_lba(backup.at);
  header.set_partition_entry_lba(array_lba);
  header.seal();
  if (!is_behind(backup.header, header))
    refuse("{}: backup header at LBA {}: PartitionEntryLBA {}, expected at least {}, behind the primary array",
           image.name(), backup.at.value, backup.header.partition_entry_lba().value,
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
  return backup.valid() && backup.at == primary.header.alternate_lba() &&
         backup.header.alternate_lba() == kPrimaryLba && same_disk(primary.header, backup.header) &&
         primary.array == backup.array && is_behind(backup.header, primary.header);
}

FoundTables find_tables(const Source& image, std::optional<std::uint32_t> sector_size_bytes)
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
    refuse("{}: no GPT: {} bytes long, too short for an MBR and a header{}", image.name(), image.size_bytes(),
           joined(looks_like(image)));

  const auto best = std::ranges::max_element(tried, {}, credit);
  best->sector_size_was_given = sector_size_bytes.has_value();
  find_other_sector_size(image, *best);
  return std::move(*best);
}

std::vector<ByteRange> header_places(const FoundTables& found)
{
  std::vector<ByteRange> places;
  const auto add = [&](const FoundTable& table) {
    if (table.header.has_signature())
      places.push_back(bytes_of(table.at, 1, table.header.sector_size_bytes()));
  };
  add(found.primary);
  if (found.backup)
    add(*found.backup);
  if (found.rival)
    add(*found.rival);
  for (const FoundTable& stray : found.strays)
    add(stray);
  return places;
}

std::optional<std::string> sector_size_warning(const Table& table, std::uint32_t context_sector_size_bytes)
{
  if (table.sector_size_bytes == context_sector_size_bytes)
    return std::nullopt;
  return fmt::format("the table is for {}-byte sectors; a disk with {}-byte sectors does not show its partitions",
                     table.sector_size_bytes, context_sector_size_bytes);
}

Table choose_table(const Source& image, const FoundTables& found, TableChoice choice)
{
  if (choice == TableChoice::backup && !(found.backup && found.backup->valid()))
    refuse("{}: {}", image.name(),
           found.backup ? describe(*found.backup)
                        : fmt::format("no backup GPT: no signature in the last LBA, {}", found.last_lba.value));
  if (choice == TableChoice::backup && found.rival)
    refuse("{}: {}", image.name(), both_backups(found));
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
    const std::vector<Entry> lost = lost_with(image, found, table.used_entries());
    for (const Entry& entry : std::span(lost).first(std::min(lost.size(), kMaxWarnings)))
      warnings.push_back(
          fmt::format("the {}primary still shows a partition that the backup, perhaps an older one, lacks: "
                      "slot {}, LBA {}-{}, GUID {}",
                      found.primary.valid() ? "" : "damaged ", entry.slot, entry.first_lba.value, entry.last_lba.value,
                      guid_text(entry.partition_guid)));
    if (lost.size() > kMaxWarnings)
      warnings.push_back(fmt::format("{} more partitions that the backup lacks", lost.size() - kMaxWarnings));
    if (is_legible(found.primary.header) && found.primary.header.disk_guid() != found.backup->header.disk_guid())
      warnings.push_back(
          fmt::format("the backup at LBA {} may be of another disk: its DiskGUID is {}, {} in the {}primary "
                      "header",
                      found.backup->at.value, guid_text(found.backup->header.disk_guid()),
                      guid_text(found.primary.header.disk_guid()), found.primary.valid() ? "" : "damaged "));
  } else if (!found.backup) {
    warnings.push_back("no backup GPT was found; the new one is made from the primary");
  } else if (!found.backup->valid()) {
    warnings.push_back(describe(*found.backup) + "; the new backup is made from the primary");
  } else if (!mirrored) {
    report_differences(found.primary, *found.backup, warnings);
  }
  const auto add = [&](std::vector<std::string> more) { std::ranges::move(more, std::back_inserter(warnings)); };
  add(stray_warnings(found, &table));
  add(mbr_warnings(image));
  check_entries(table, warnings);
  table.warnings = std::move(warnings);
  return table;
}

}  // namespace gptgrow
