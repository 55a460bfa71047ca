// SPDX-License-Identifier: BSD-3-Clause
#include "core/gpt/table_warnings.h"

#include "core/gpt/mbr.h"
#include "core/gpt/which_backup.h"

#include <cstring>
#include <string_view>

namespace gptgrow {

namespace {

/// Partitions that are named where a table is described in one line.
constexpr std::size_t kMaxDescribed = 8;

/// How far a misplaced primary header is looked for, in bytes: a track of an old partition table and a little more.
constexpr std::uint64_t kMisplacedEndBytes = 128 * 512;

std::string describe_slot(const FoundTable& table, std::size_t index)
{
  const std::size_t size = table.header.entry_size_bytes();
  if ((index + 1) * size > table.array.size())
    return "no such slot";
  const auto entries =
      used_entries(std::span(table.array).subspan(index * size, size), table.header.entry_size_bytes());
  if (entries.empty())
    return "unused";
  return fmt::format("LBA {}-{}, type {}, GUID {}, attributes 0x{:x}", entries[0].first_lba.value,
                     entries[0].last_lba.value, guid_text(entries[0].type_guid), guid_text(entries[0].partition_guid),
                     entries[0].attributes);
}

}  // namespace

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

/// How a valid backup that is no mirror differs, field by field and slot by slot.
void report_differences(const FoundTable& primary, const FoundTable& backup, std::vector<std::string>& warnings)
{
  const Header &a = primary.header, &b = backup.header;
  warnings.push_back(fmt::format("the backup at LBA {} is valid but differs from the primary, which is used; "
                                 "the new backup is made from the primary",
                                 backup.at.value));
  const auto field = [&](const char* name, const auto& in_primary, const auto& in_backup) {
    if (in_primary != in_backup)
      warnings.push_back(fmt::format("{}: primary {}, backup {}", name, in_primary, in_backup));
  };
  field("AlternateLBA of the primary and MyLBA of the backup", a.alternate_lba().value, b.my_lba().value);
  field("MyLBA of the primary and AlternateLBA of the backup", a.my_lba().value, b.alternate_lba().value);
  field("FirstUsableLBA", a.first_usable_lba().value, b.first_usable_lba().value);
  field("LastUsableLBA", a.last_usable_lba().value, b.last_usable_lba().value);
  field("DiskGUID", guid_text(a.disk_guid()), guid_text(b.disk_guid()));
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
    if ((first == in_primary.end() && in_primary.size() == in_backup.size()) || ++differing > kMaxWarnings)
      continue;
    warnings.push_back(fmt::format("slot {}: primary {}; backup {}; from byte {} of the slot on", index + 1,
                                   describe_slot(primary, index), describe_slot(backup, index),
                                   first - in_primary.begin()));
  }
  if (differing > kMaxWarnings)
    warnings.push_back(fmt::format("{} more slots differ", differing - kMaxWarnings));
}

/// What the entries say that UEFI does not allow, though it can be served.
void check_entries(const Table& table, std::vector<std::string>& warnings)
{
  std::size_t count = 0;
  const auto warn = [&](std::string text) {
    if (++count <= kMaxWarnings)
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
  if (count > kMaxWarnings)
    warnings.push_back(fmt::format("{} more warnings about entries", count - kMaxWarnings));
}

namespace {

std::size_t partition_count(const FoundTable& table)
{
  return used_entries(table.array, table.header.entry_size_bytes()).size();
}

/// "DiskGUID ..., 2 partitions: slot 1 LBA 64-127, ..."
std::string contents(const FoundTable& table)
{
  const std::vector<Entry> entries = used_entries(table.array, table.header.entry_size_bytes());
  std::string text = fmt::format("DiskGUID {}, {} partition{}", guid_text(table.header.disk_guid()), entries.size(),
                                 entries.size() == 1 ? "" : "s");
  for (std::size_t i = 0; i < std::min(entries.size(), kMaxDescribed); ++i)
    text += fmt::format("{} slot {} LBA {}-{}", i == 0 ? ":" : ",", entries[i].slot, entries[i].first_lba.value,
                        entries[i].last_lba.value);
  return entries.size() > kMaxDescribed ? text + ", ..." : text;
}

std::string stray_warning(const FoundTables& found, const FoundTable& stray, const Header& mine)
{
  const std::uint32_t size = stray.header.sector_size_bytes();
  const bool same_size = size == found.sector_size_bytes;
  const std::string place = same_size && stray.at == found.last_lba ? ", the last LBA" : "";
  if (!same_size)
    return fmt::format(
        "a valid GPT for {}-byte sectors is left at byte {}, {}; it is not used (a sector size of {}{} would)", size,
        stray.at.value * size, describe_contents(stray), size, stray.at == kPrimaryLba ? "" : " and the backup table");
  if (stray.header.disk_guid() != mine.disk_guid())
    return fmt::format(
        "a valid GPT of another disk is at LBA {}{}: {}; it is not used, but a tool may take it for this "
        "disk's backup",
        stray.at.value, place, contents(stray));
  return fmt::format("another valid backup of this disk, perhaps an older one, is at LBA {}{}: {}; it is not used",
                     stray.at.value, place, contents(stray));
}

/// An empty primary while something else still lists partitions: what a tool writes over a table that it cannot read.
void warn_of_empty(const FoundTables& found, const Table& table, std::vector<std::string>& warnings)
{
  if (!table.used_entries().empty())
    return;
  const auto warn = [&](const FoundTable& other, std::string_view advice) {
    if (other.valid() && partition_count(other) != 0)
      warnings.push_back(
          fmt::format("the table has no partitions, the one at LBA {} has {}: a tool may have written an "
                      "empty table over it{}",
                      other.at.value, partition_count(other), advice));
  };
  if (found.backup && found.backup->at != table.primary.my_lba())
    warn(*found.backup, found.rival ? "" : "; table=backup would serve that one");
  for (const FoundTable& stray : found.strays)
    warn(stray, "");
}

}  // namespace

std::vector<std::string> stray_warnings(const FoundTables& found, const Table* table)
{
  const Header& mine = table ? table->primary : found.primary.header;
  std::vector<std::string> warnings;
  if (table && found.backup && found.backup->valid() && found.backup->header.disk_guid() != mine.disk_guid())
    warnings.push_back(stray_warning(found, *found.backup, mine));
  if (table && found.rival)
    warnings.push_back(stray_warning(found, *found.rival, mine));
  for (const FoundTable& stray : found.strays)
    warnings.push_back(stray_warning(found, stray, mine));
  if (table)
    warn_of_empty(found, *table, warnings);
  return warnings;
}

std::vector<std::string> mbr_warnings(const Source& image)
{
  std::vector<std::byte> mbr(kMbrSizeBytes);
  image.read(0, mbr);
  const auto records = mbr_records(mbr);
  const auto protects = [](const MbrRecord& record) { return record.os_type == kGptProtective; };
  if (is_zero(mbr))
    return {
        "the MBR is all zeros, so that no tool looks for a GPT behind it; a restore that was stopped before its last "
        "write leaves that: run the same restore again"};
  std::vector<std::string> warnings;
  if (get_field<std::uint16_t>(mbr, 510) != 0xaa55)
    warnings.push_back("the MBR does not end with the bytes 55 aa: many tools do not look for a GPT behind it");
  if (std::ranges::none_of(records, protects))
    warnings.push_back("the MBR has no record of type 0xEE: many tools do not look for a GPT behind it, and show no "
                       "partition, or those of the MBR");
  else if (std::ranges::none_of(records, [&](const MbrRecord& r) { return protects(r) && r.starting_lba == 1; }))
    warnings.push_back(
        "the MBR has no record of type 0xEE that starts at LBA 1: Linux does not look for a GPT behind it");
  return warnings;
}

std::string describe_contents(const FoundTable& table)
{
  return fmt::format("LBA {}: {}", table.at.value, contents(table));
}

std::vector<std::string> missing_data(const Table& table, Lba last_lba)
{
  std::vector<std::string> warnings;
  for (const Entry& entry : table.used_entries())
    if (entry.last_lba > last_lba && warnings.size() < kMaxWarnings)
      warnings.push_back(fmt::format("slot {}: EndingLBA {}, the last LBA of the file is {}: data is missing",
                                     entry.slot, entry.last_lba.value, last_lba.value));
  return warnings;
}

namespace {

/// A whole primary header that is not where one belongs.
std::optional<std::string> find_misplaced(const Source& image)
{
  for (std::uint64_t at = 0; at < kMisplacedEndBytes && at + 512 <= image.size_bytes(); at += 512) {
    if (at == 512 || at == 4096)
      continue;
    // A header is judged by itself: the rest of a larger sector holds nothing of it.
    const Header header(read_bytes(image, {at, 512}));
    if (!has_right_crc(header) || header.my_lba() != kPrimaryLba)
      continue;
    if (at == 0)
      return "a primary header stands at byte 0: the file begins with LBA 1 of its disk, and one sector is missing in "
             "front of it";
    return fmt::format(
        "a primary header stands at byte {}, expected at byte 512, or 4096 for sectors of that size: there "
        "are bytes in front of the disk",
        at);
  }
  return std::nullopt;
}

/// Whether the last header is right but for the place that it names.
std::optional<std::string> find_shift(const FoundTables& found)
{
  if (!found.backup || found.backup->at != found.last_lba || !has_right_crc(found.backup->header))
    return std::nullopt;
  const Lba named = found.backup->header.my_lba();
  if (named == found.last_lba || named <= kPrimaryLba)
    return std::nullopt;
  return fmt::format("the last sector holds a backup header of LBA {}, expected {}: sectors {} the file", named.value,
                     found.last_lba.value, named > found.last_lba ? "are missing in" : "were added to");
}

}  // namespace

std::vector<std::string> explain_damage(const Source& image, const FoundTables& found)
{
  std::vector<std::string> sentences;
  for (const std::uint64_t at : {std::uint64_t{512}, std::uint64_t{4096}}) {
    if (at + kUnfinishedRestore.size() > image.size_bytes())
      continue;
    if (const auto text = read_bytes(image, {at, kUnfinishedRestore.size()});
        std::memcmp(text.data(), kUnfinishedRestore.data(), kUnfinishedRestore.size()) == 0)
      sentences.push_back("a restore by gptgrow was stopped here before it was complete: run the same restore again");
  }
  if (found.primary.header.has_signature())
    return sentences;
  if (auto sentence = find_misplaced(image))
    sentences.push_back(std::move(*sentence));
  if (auto sentence = find_shift(found))
    sentences.push_back(std::move(*sentence));
  return sentences;
}

}  // namespace gptgrow
