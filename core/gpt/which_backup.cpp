// SPDX-License-Identifier: BSD-3-Clause
#include "core/gpt/which_backup.h"

#include "core/gpt/mbr.h"

#include <algorithm>
#include <bit>
#include <compare>
#include <set>
#include <utility>

namespace gptgrow {

namespace {

std::optional<FoundTable> read_backup(const Source& image, const FoundTables& found, Lba at)
{
  if (at <= kPrimaryLba || at > found.last_lba)
    return std::nullopt;
  return read_table(image, found.sector_size_bytes, at, &found.primary);
}

/// What the primary header, or what is left of it, says for a backup.
struct Evidence {
  bool same_disk = false;
  bool same_array = false;
};

Evidence evidence(const Source& image, const FoundTable& primary, const Header& backup)
{
  const Header& header = primary.header;
  return {.same_disk = header.disk_guid() == backup.disk_guid(),
          .same_array = has_right_crc(header) ? header.array_crc32() == backup.array_crc32()
                                              : array_is_at(image, backup, header.partition_entry_lba())};
}

/// Less speaks for the one than for the other. Unordered where one is better in one respect, the other in the other one.
std::partial_ordering compare(const Evidence& a, const Evidence& b)
{
  const auto disk = a.same_disk <=> b.same_disk, array = a.same_array <=> b.same_array;
  if (disk == 0 || disk == array)
    return array;
  return array == 0 ? std::partial_ordering(disk) : std::partial_ordering::unordered;
}

/// Two valid ones.
void choose(const Source& image, FoundTable named, FoundTable last, FoundTables& found)
{
  const FoundTable& primary = found.primary;
  if (is_same_table(named.header, last.header)) {
    // One is left behind. A valid primary says which one is its own; else the one where every tool looks.
    found.backup = std::move(primary.valid() ? named : last);
    return;
  }
  const auto order = compare(evidence(image, primary, named.header), evidence(image, primary, last.header));
  const bool decided = order < 0 || order > 0;
  const bool take_named = decided ? order > 0 : primary.valid();
  found.backup = std::move(take_named ? named : last);
  FoundTable& other = take_named ? last : named;
  if (decided)
    found.strays.push_back(std::move(other));
  else
    found.rival = std::move(other);
}

/// A backup that was left behind where the protective record says that the disk once ended.
void find_left_behind(const Source& image, FoundTables& found)
{
  std::vector<std::byte> mbr(kMbrSizeBytes);
  image.read(0, mbr);
  const auto is_known = [&](const auto& is_same) {
    return is_same(found.primary) || (found.backup && is_same(*found.backup)) ||
           (found.rival && is_same(*found.rival)) || std::ranges::any_of(found.strays, is_same);
  };
  for (const MbrRecord& record : mbr_records(mbr)) {
    const Lba at{record.size_in_lba};
    if (record.os_type != kGptProtective || record.starting_lba != kPrimaryLba.value ||
        is_known([&](const FoundTable& other) { return other.at == at; }))
      continue;
    auto table = read_backup(image, found, at);
    if (table && table->valid() &&
        !is_known([&](const FoundTable& other) { return other.valid() && is_same_table(other.header, table->header); }))
      found.strays.push_back(std::move(*table));
  }
}

}  // namespace

bool is_same_table(const Header& a, const Header& b)
{
  return a.disk_guid() == b.disk_guid() && a.entry_count() == b.entry_count() &&
         a.entry_size_bytes() == b.entry_size_bytes() && a.array_crc32() == b.array_crc32();
}

bool has_right_crc(const Header& header)
{
  // Below 92 bytes, fields that are used here are not covered by the CRC.
  return header.has_signature() && header.header_size_bytes() >= 92 &&
         header.header_size_bytes() <= header.sector_size_bytes() &&
         header.header_crc32() == header.computed_header_crc32();
}

bool is_legible(const Header& header)
{
  return header.has_signature() || (header.my_lba() == kPrimaryLba && header.revision() == kRevision);
}

bool array_is_at(const Source& image, const Header& header, Lba at)
{
  if (at <= kPrimaryLba || at > max_lba(header.sector_size_bytes()))
    return false;
  const ByteRange range = array_range(header, at);
  return range.end() <= image.size_bytes() && crc32(read_bytes(image, range)) == header.array_crc32();
}

bool may_belong(const Source& image, const FoundTable& primary, const Header& backup)
{
  const Evidence found = evidence(image, primary, backup);
  return found.same_disk || (found.same_array && !has_right_crc(primary.header)) || !is_legible(primary.header);
}

namespace {

bool is_array_shape(const Header& header)
{
  return header.entry_size_bytes() >= 128 && std::has_single_bit(header.entry_size_bytes()) &&
         header.array_size_bytes() <= kMaxArraySizeBytes;
}

/// `damaged`, or what it was before one of its fields was damaged, if a CRC says so: the header's, or that of an array which
/// stands where it says.
std::optional<Header> with_believed_array(const Source& image, const Header& damaged, const Header& backup)
{
  Header whole = damaged;
  whole.set_signature();
  std::vector<Header> tries(4, whole);
  tries[1].set_partition_entry_lba(Lba{kPrimaryLba.value + 1});
  tries[2].set_entry_count(backup.entry_count());
  tries[3].set_entry_size_bytes(backup.entry_size_bytes());
  for (Header& header : tries) {
    const Lba at = header.partition_entry_lba();
    if (!is_array_shape(header) || at > max_lba(header.sector_size_bytes()))
      continue;
    const ByteRange range = array_range(header, at);
    if (range.end() > image.size_bytes())
      continue;
    if (has_right_crc(header) || array_is_at(image, header, at))
      return header;
    header.set_array_crc32(crc32(read_bytes(image, range)));
    if (has_right_crc(header))
      return header;
  }
  return std::nullopt;
}

}  // namespace

std::vector<Entry> lost_with(const Source& image, const FoundTables& found, const std::vector<Entry>& kept)
{
  const auto header = with_believed_array(image, found.primary.header, found.backup->header);
  if (!header)
    return {};
  const Lba first = header->first_usable_lba(), last = header->last_usable_lba();
  const ByteRange range = array_range(*header, header->partition_entry_lba());
  // A byte of an entry may be damaged: it is the same one where the GUID or the place is.
  std::set<Guid> guids;
  std::set<std::pair<Lba, Lba>> places;
  for (const Entry& each : kept) {
    guids.insert(each.partition_guid);
    places.insert({each.first_lba, each.last_lba});
  }
  std::vector<Entry> lost = used_entries(read_bytes(image, range), header->entry_size_bytes());
  std::erase_if(lost, [&](const Entry& entry) {
    return entry.first_lba < first || entry.last_lba > last || entry.last_lba < entry.first_lba ||
           guids.contains(entry.partition_guid) || places.contains({entry.first_lba, entry.last_lba});
  });
  return lost;
}

void find_backup(const Source& image, FoundTables& found)
{
  std::optional<FoundTable> named, last = read_backup(image, found, found.last_lba);
  if (const Lba at = found.primary.header.alternate_lba(); at != found.last_lba)
    named = read_backup(image, found, at);
  const auto is_valid = [](const auto& table) { return table && table->valid(); };
  const auto has_signature = [](const auto& table) { return table && table->header.has_signature(); };
  if (is_valid(named) && is_valid(last))
    choose(image, std::move(*named), std::move(*last), found);
  else if (is_valid(named) || is_valid(last))
    found.backup = std::move(is_valid(named) ? named : last);
  else if (has_signature(named) && (found.primary.valid() || !has_signature(last)))
    found.backup = std::move(named);
  else if (has_signature(last))
    found.backup = std::move(last);
  find_left_behind(image, found);
}

void find_other_sector_size(const Source& image, FoundTables& found)
{
  const std::uint32_t other = found.sector_size_bytes == 512 ? 4096 : 512;
  const std::uint64_t sectors = image.size_bytes() / other;
  if (sectors <= kPrimaryLba.value + 1)
    return;
  for (const Lba at : {kPrimaryLba, Lba{sectors - 1}})
    if (FoundTable table = read_table(image, other, at); table.valid())
      found.strays.push_back(std::move(table));
}

}  // namespace gptgrow
