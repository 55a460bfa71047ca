// SPDX-License-Identifier: BSD-3-Clause
// As measured with util-linux 2.38 and 2.41, gdisk 1.0.9 and 1.0.10, parted 3.5 and 3.6, cloud-guest-utils 0.33. Each
// tool is a row of what it writes to each part of a table; a disk is its work where every part is what that row makes of
// the image. A tool that zeroes what is zeros already so leaves no mark, and takes none.
#include "core/compare/tool_traces.h"

#include "core/compare/mbr_traces.h"

#include <algorithm>
#include <set>

namespace gptgrow {

namespace {

using Bytes = std::span<const std::byte>;
using Kind = SlotDifference::Kind;

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

class Judge {
public:
  Judge(const Comparison& comparison, bool b_is_mirrored)
      : comparison_(comparison),
        b_is_mirrored_(b_is_mirrored),
        a_(side(*comparison.a, comparison.tables_a)),
        b_(side(*comparison.b, comparison.tables_b)),
        mbr_(a_, b_, comparison.slots)
  {
  }

  bool could_be(const Tool& tool) const
  {
    if (!a_.tables.primary.valid() || !b_.tables.primary.valid())
      return false;
    if (tool.writer == Writer::copy)
      return is_copy();
    return b_is_mirrored_ && mbr_.could_be(tool.writer) && (is_emptied(tool) || (header(tool.writer) && entries(tool)));
  }

private:
  static Side side(const Source& image, const FoundTables& tables)
  {
    return {read_bytes(image, {0, tables.sector_size_bytes}), tables, tables.last_lba};
  }

  bool is_copy() const
  {
    return a_.last_lba < b_.last_lba && a_.mbr == b_.mbr &&
           std::ranges::equal(a_.header().sector(), b_.header().sector()) &&
           a_.tables.primary.array == b_.tables.primary.array;
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
      } else if (other != 0)
        continue;
      else if (slot.kind != Kind::changed)
        ++other;
      else if (!is_same(tool.writer, slot))
        ++(is_grown(slot) ? grown : other);
      if (other != 0 && tool.edit != Edit::other)
        return false;
    }
    return (!anew || is_cleared()) && is_edit(tool, grown, other);
  }

  /// `other` is 0 but for Edit::other.
  static bool is_edit(const Tool& tool, std::size_t grown, std::size_t other)
  {
    switch (tool.edit) {
    case Edit::none: return grown == 0;
    case Edit::grown: return grown == 1;
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
    std::vector<std::uint32_t> a = used_slots(a_.tables.primary);
    std::ranges::stable_sort(a, {}, [&](std::uint32_t slot) { return first_lba_in(a_.tables.primary, slot); });
    const std::vector<std::uint32_t> b = used_slots(b_.tables.primary);
    if (a.size() != b.size() || (!b.empty() && b.back() != b.size()))
      return false;
    for (std::size_t i = 0; i < a.size(); ++i)
      if (!std::ranges::equal(bytes_a(a[i]), bytes_b(b[i])))
        return false;
    return true;
  }

  const Comparison& comparison_;
  bool b_is_mirrored_;
  Side a_, b_;
  MbrTraces mbr_;
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
       {chs_rewritten, mbr_changed, partition_extended, partition_grown, header_changed}},
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
  if (only_extended(comparison))
    names.emplace_back("gptgrow extend");
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
