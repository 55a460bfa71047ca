// SPDX-License-Identifier: BSD-3-Clause
// As measured with util-linux 2.38 and 2.41, gdisk 1.0.9 and 1.0.10, parted 3.5 and 3.6, cloud-guest-utils 0.33. Each
// tool is a row of what it writes to each part of a table; a disk is its work where every part is what that row makes of
// the image. A tool that zeroes what is zeros already so leaves no mark, and takes none.
#include "core/repair/tool_traces.h"

#include "core/mbr.h"

#include <algorithm>
#include <set>

namespace gptgrow {

namespace {

using Bytes = std::span<const std::byte>;
using Kind = SlotDifference::Kind;

/// Who writes the table, and so what becomes of all but the entries.
enum class Writer {
  copy,  // nothing is written but the image
  gdisk,
  fdisk,   // libfdisk, a table that it has read
  sfdisk,  // libfdisk, a new table from a dump
  parted,
};

/// What becomes of the entries.
enum class Edit {
  none,
  sorted,  // dense, by StartingLBA
  grown,   // one partition
  other,   // at least one, none in another slot; but for `grown`, where that is a row of its own
};

struct Tool {
  const char* name;
  Writer writer;
  Edit edit;
};

constexpr Tool kMeasured[] = {
    {"a raw copy (dd, nbdcopy, an image writer)", Writer::copy, Edit::none},
    {"sgdisk -e, gdisk", Writer::gdisk, Edit::none},
    {"sgdisk --sort", Writer::gdisk, Edit::sorted},
    {"sgdisk or gdisk, partitions edited", Writer::gdisk, Edit::other},
    {"sfdisk --relocate gpt-bak-std, fdisk", Writer::fdisk, Edit::none},
    {"sfdisk, fdisk or systemd-repart, partitions edited", Writer::fdisk, Edit::other},
    {"sfdisk, a dump loaded again", Writer::sfdisk, Edit::none},
    {"growpart", Writer::sfdisk, Edit::grown},
    {"sfdisk, an edited dump loaded", Writer::sfdisk, Edit::other},
    {"parted --fix", Writer::parted, Edit::none},
    {"parted, partitions edited", Writer::parted, Edit::other},
};

/// The table of a disk, and what lies before and behind it.
struct Side {
  std::vector<std::byte> mbr;  // a whole sector
  const FoundTables& tables;
  Lba last_lba;

  const Header& header() const { return tables.primary.header; }
  Bytes record(std::size_t i) const { return Bytes(mbr).subspan(446 + 16 * i, 16); }
};

bool same_part(Bytes a, Bytes b, std::size_t offset, std::size_t size)
{
  return std::ranges::equal(a.subspan(offset, size), b.subspan(offset, size));
}

bool is_hybrid(Bytes mbr)
{
  const auto records = mbr_records(mbr);
  return std::ranges::any_of(
      records, [](const MbrRecord& record) { return record.os_type != 0 && record.os_type != kGptProtective; });
}

class Judge {
public:
  Judge(const Comparison& comparison, bool b_is_mirrored)
      : comparison_(comparison),
        b_is_mirrored_(b_is_mirrored),
        a_(side(comparison.a, comparison.tables_a)),
        b_(side(comparison.b, comparison.tables_b)),
        hybrid_(is_hybrid(a_.mbr))
  {
  }

  bool could_be(const Tool& tool) const
  {
    if (!a_.tables.primary.valid() || !b_.tables.primary.valid())
      return false;
    if (tool.writer == Writer::copy)
      return is_copy();
    return b_is_mirrored_ && mbr(tool.writer) && (is_emptied(tool) || (header(tool.writer) && entries(tool)));
  }

private:
  static Side side(const Image& image, const FoundTables& tables)
  {
    return {read_bytes(image, {0, tables.sector_size_bytes}), tables, tables.last_lba};
  }

  bool is_copy() const
  {
    return a_.last_lba < b_.last_lba && a_.mbr == b_.mbr &&
           std::ranges::equal(a_.header().sector(), b_.header().sector()) &&
           a_.tables.primary.array == b_.tables.primary.array;
  }

  // MBR

  bool mbr(Writer writer) const
  {
    const auto kept = [&](std::size_t offset, std::size_t size) { return same_part(a_.mbr, b_.mbr, offset, size); };
    // Of a larger sector some write 512 bytes, and zeros behind them.
    const bool is_padded = writer == Writer::gdisk || writer == Writer::sfdisk;
    if (!kept(0, 440) || !(is_padded ? is_zero(Bytes(b_.mbr).subspan(512)) : kept(512, a_.mbr.size() - 512)))
      return false;
    const bool signature_kept = kept(440, 6), signature_zero = is_zero(Bytes(b_.mbr).subspan(440, 6));
    switch (writer) {
    case Writer::gdisk:
      if (hybrid_ && is_hybrid(b_.mbr))
        return signature_kept && records_kept();
      return (!hybrid_ || records_kept()) && signature_zero && protective(0, Chs::calculated);
    case Writer::fdisk: return signature_kept && (hybrid_ ? kept(446, 64) : protective(0, Chs::largest));
    case Writer::sfdisk: return signature_zero && protective(0, Chs::largest);
    case Writer::parted:
      return signature_kept && protective(a_.record(0)[0] == std::byte{0x80} ? 0x80 : 0, Chs::largest);
    case Writer::copy: break;
    }
    return false;
  }

  /// What EndingCHS is: calculated means from a geometry that only that machine knows.
  enum class Chs { largest, calculated };

  bool ending_chs(Chs chs) const
  {
    // No geometry of fewer heads is in use: on a larger disk the calculation may end at the largest value too.
    constexpr std::uint64_t kLeastLimit = 1024 * 16 * 63;
    const bool is_largest = to_hex(b_.record(0).subspan(5, 3)) == "ffffff";
    return is_largest == (chs == Chs::largest) || (chs == Chs::calculated && b_.last_lba.value >= kLeastLimit);
  }

  /// The first record protects the whole disk, as it is written anew.
  bool protective(std::uint8_t boot_indicator, Chs chs) const
  {
    const Bytes first = b_.record(0);
    const auto size = static_cast<std::uint32_t>(std::min<std::uint64_t>(b_.last_lba.value, UINT32_MAX));
    return first[0] == std::byte{boot_indicator} && to_hex(first.subspan(1, 3)) == "000200" &&
           first[4] == std::byte{kGptProtective} && ending_chs(chs) && get_field<std::uint32_t>(first, 8) == 1 &&
           get_field<std::uint32_t>(first, 12) == size && is_zero(Bytes(b_.mbr).subspan(462, 48)) &&
           get_field<std::uint16_t>(b_.mbr, 510) == 0xaa55;
  }

  /// All but the CHS of the records for partitions, each of which gdisk deletes with its partition; those that protect
  /// the rest may be fitted around them. With the last of them the MBR is written anew.
  bool records_kept() const
  {
    const auto a = mbr_records(a_.mbr), b = mbr_records(b_.mbr);
    const bool anew = !is_hybrid(b_.mbr);
    for (std::size_t i = 0; i < a.size(); ++i) {
      const bool emptied = anew || is_zero(b_.record(i));
      if (a[i].os_type == 0 || a[i].os_type == kGptProtective) {
        if (!anew && a[i] != b[i] && (a[i].os_type == 0 || b[i].os_type != kGptProtective))
          return false;
      } else if (emptied ? !may_be_deleted(a[i]) : a[i] != b[i] || is_deleted(a[i]))
        return false;
    }
    return true;
  }

  static bool lies_at(const Entry& entry, const MbrRecord& record)
  {
    const std::uint64_t first = record.starting_lba;
    return entry.first_lba == Lba{first} && entry.last_lba == Lba{first + record.size_in_lba - 1};
  }

  /// A changed partition may have been deleted and made again.
  bool may_be_deleted(const MbrRecord& record) const
  {
    return std::ranges::any_of(comparison_.slots, [&](const SlotDifference& slot) {
      return (slot.kind == Kind::only_in_a || slot.kind == Kind::changed) &&
             lies_at(entry_in(a_.tables.primary, slot.slot_a), record);
    });
  }

  bool is_deleted(const MbrRecord& record) const
  {
    const auto is_there = [&](const Entry& entry) { return lies_at(entry, record); };
    const auto left = used_entries(b_.tables.primary.array, b_.header().entry_size_bytes());
    return may_be_deleted(record) && std::ranges::none_of(left, is_there);
  }

  // Headers

  bool header(Writer writer) const
  {
    const Header &a = a_.header(), &b = b_.header();
    const bool anew = writer == Writer::sfdisk || writer == Writer::parted;
    const std::uint64_t tail = a.sector_size_bytes() - 92;
    return same_part(a.sector(), b.sector(), 8, 4) && a.disk_guid() == b.disk_guid() &&
           a.first_usable_lba() == b.first_usable_lba() && a.entry_count() == b.entry_count() &&
           b.alternate_lba() == b_.last_lba && b.entry_size_bytes() == (anew ? 128 : a.entry_size_bytes()) &&
           b.partition_entry_lba() == (anew ? Lba{2} : a.partition_entry_lba()) &&
           (anew ? is_fresh(b)
                 : same_part(a.sector(), b.sector(), 12, 4) && same_part(a.sector(), b.sector(), 20, 4) &&
                       same_part(a.sector(), b.sector(), 92, tail)) &&
           end_of_disk(writer);
  }

  static bool is_fresh(const Header& header)
  {
    return header.header_size_bytes() == 92 && is_zero(header.sector().subspan(20, 4)) &&
           is_zero(header.sector().subspan(92));
  }

  bool end_of_disk(Writer writer) const
  {
    const Header &a = a_.header(), &b = b_.header();
    const std::uint64_t last = b_.last_lba.value;
    const std::uint64_t last_usable = b.last_usable_lba().value,
                        array = b_.tables.backup->header.partition_entry_lba().value;
    const std::uint64_t directly_before = last - b.array_sectors();
    // A backup that is at the end already stays where it is.
    if (a.alternate_lba().value == last && last_usable == a.last_usable_lba().value && a_.tables.backup &&
        array == a_.tables.backup->header.partition_entry_lba().value)
      return true;
    switch (writer) {
    case Writer::gdisk:  // as far from the end as the first usable sector is from the beginning
      return last_usable == last - a.first_usable_lba().value + 1 && array == last_usable + 1;
    case Writer::fdisk: return last_usable == directly_before - 1 && array == directly_before;
    case Writer::sfdisk:  // a dump may name the old last usable sector
      return (last_usable == directly_before - 1 || last_usable == a.last_usable_lba().value) &&
             array == directly_before;
    case Writer::parted:
      return (last_usable == last - 1 - parted_array_sectors() || last_usable == a.last_usable_lba().value) &&
             array == directly_before;
    case Writer::copy: break;
    }
    return false;
  }

  /// Room is left for at least 128 entries, of the size that the image's have, in whole sectors rounded down.
  std::uint64_t parted_array_sectors() const
  {
    const std::uint64_t sector = a_.header().sector_size_bytes();
    return std::max(a_.header().array_size_bytes() / sector, 128 * 128 / sector);
  }

  /// gdisk takes entries of another size for a damaged table, and writes an empty one.
  bool is_emptied(const Tool& tool) const
  {
    const Header& b = b_.header();
    return tool.writer == Writer::gdisk && tool.edit == Edit::none && a_.header().entry_size_bytes() != 128 &&
           b.entry_size_bytes() == 128 && b.entry_count() == 128 && b.partition_entry_lba() == Lba{2} &&
           b.alternate_lba() == b_.last_lba && is_fresh(b) && is_zero(b_.tables.primary.array);
  }

  // Entries

  bool entries(const Tool& tool) const
  {
    const bool anew = tool.writer == Writer::sfdisk || tool.writer == Writer::parted;
    if (tool.edit == Edit::sorted)
      return is_sorted_anew();
    std::size_t grown = 0, other = 0;
    for (const SlotDifference& slot : comparison_.slots) {
      if (slot.kind == Kind::moved)
        return false;
      if (slot.kind == Kind::unused) {
        // An edit may clear a slot or use one whose bytes were anything.
        if (anew ? !is_zero(bytes_b(slot.slot_b)) : tool.edit != Edit::other)
          return false;
      } else if (slot.kind != Kind::changed)
        ++other;
      else if (is_same(tool.writer, slot))
        continue;
      else
        ++(is_grown(slot) ? grown : other);
    }
    return (!anew || is_cleared()) && is_edit(tool, grown, other);
  }

  static bool is_edit(const Tool& tool, std::size_t grown, std::size_t other)
  {
    switch (tool.edit) {
    case Edit::none: return grown == 0 && other == 0;
    case Edit::grown: return grown == 1 && other == 0;
    default: return grown + other != 0;
    }
  }

  Bytes bytes_a(std::uint32_t slot) const { return slot_bytes(a_.tables.primary, slot); }
  Bytes bytes_b(std::uint32_t slot) const { return slot_bytes(b_.tables.primary, slot); }

  /// Whether no more is lost than `writer` loses of any entry.
  bool is_same(Writer writer, const SlotDifference& slot) const
  {
    const Bytes a = bytes_a(slot.slot_a), b = bytes_b(slot.slot_b);
    if (writer != Writer::sfdisk && writer != Writer::parted)
      return std::ranges::equal(a, b);
    // A dump names these attributes.
    constexpr std::uint64_t kNamed = 0xffff000000000007;
    const auto attributes_a = get_field<std::uint64_t>(a, 48), attributes_b = get_field<std::uint64_t>(b, 48);
    const bool attributes = attributes_a == attributes_b || (attributes_a & kNamed) == attributes_b;
    const Entry one = entry_in(a_.tables.primary, slot.slot_a), other = entry_in(b_.tables.primary, slot.slot_b);
    return same_part(a, b, 0, 48) && attributes && one.name == other.name;
  }

  bool is_grown(const SlotDifference& slot) const
  {
    const Entry a = entry_in(a_.tables.primary, slot.slot_a), b = entry_in(b_.tables.primary, slot.slot_b);
    return a.first_lba == b.first_lba && a.last_lba < b.last_lba && a.type_guid == b.type_guid &&
           a.partition_guid == b.partition_guid && a.name == b.name;
  }

  /// Nothing is left in unused slots.
  bool is_cleared() const
  {
    for (std::uint32_t slot = 1; slot <= b_.header().entry_count(); ++slot)
      if (is_zero(bytes_b(slot).first(16)) && !is_zero(bytes_b(slot)))
        return false;
    return true;
  }

  /// The used slots come first, by StartingLBA, each as it was.
  bool is_sorted_anew() const
  {
    std::vector<Entry> a = used_entries(a_.tables.primary.array, a_.header().entry_size_bytes());
    std::ranges::stable_sort(a, {}, &Entry::first_lba);
    const auto b = used_entries(b_.tables.primary.array, b_.header().entry_size_bytes());
    if (a.size() != b.size() || (!b.empty() && b.back().slot != b.size()))
      return false;
    for (std::size_t i = 0; i < a.size(); ++i)
      if (!std::ranges::equal(bytes_a(a[i].slot), bytes_b(b[i].slot)))
        return false;
    return true;
  }

  const Comparison& comparison_;
  bool b_is_mirrored_;
  Side a_, b_;
  bool hybrid_;
};

/// Not measured here: known by what they leave and may leave.
struct Described {
  const char* name;
  std::set<Trace> leaves, may_leave;
};

std::vector<Described> described_tools()
{
  using enum Trace;
  return {
      {"Windows",
       {gap_closed},
       {active_flag_cleared, disk_signature_zeroed, chs_rewritten, mbr_changed, unused_slots_changed, header_tail_lost,
        header_changed}},
      {"virt-resize", {gap_closed, active_flag_cleared}, {chs_rewritten, mbr_changed}},
      {"Clonezilla, proportional",
       {extents_changed, active_flag_cleared, disk_signature_zeroed},
       {chs_rewritten, mbr_changed, partition_grown, header_changed}},
      {"nbdkit's partitioning plugin",
       {gap_closed, partition_guids_changed, disk_guid_changed},
       {active_flag_cleared, disk_signature_zeroed, chs_rewritten, mbr_changed, entry_fields_changed, extents_changed,
        header_changed}},
  };
}

bool fits(const Described& tool, const std::vector<Finding>& findings)
{
  std::set<Trace> found;
  for (const Finding& finding : findings)
    found.insert(finding.trace);
  std::set<Trace> largest = tool.leaves;
  largest.insert(tool.may_leave.begin(), tool.may_leave.end());
  return std::ranges::includes(found, tool.leaves) && std::ranges::includes(largest, found);
}

}  // namespace

std::vector<std::string> tools_behind(const Comparison& comparison, bool b_is_mirrored)
{
  std::vector<std::string> names;
  const Judge judge(comparison, b_is_mirrored);
  for (const Tool& tool : kMeasured)
    if (judge.could_be(tool))
      names.emplace_back(tool.name);
  for (const Described& tool : described_tools())
    if (fits(tool, comparison.findings))
      names.emplace_back(tool.name);
  return names;
}

}  // namespace gptgrow
