// SPDX-License-Identifier: BSD-3-Clause
#include "core/repair/compare.h"

#include "core/error.h"
#include "core/mbr.h"
#include "core/repair/named_fields.h"
#include "core/repair/tool_traces.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace gptgrow {

namespace {

using Kind = SlotDifference::Kind;

const FoundTable& table_of(const Image& image, const FoundTables& tables)
{
  if (tables.primary.valid())
    return tables.primary;
  if (tables.backup && tables.backup->valid())
    return *tables.backup;
  (void)choose_table(image, tables, TableChoice::primary);  // throws: it says what is wrong
  refuse("{}: no valid GPT", image.path());
}

/// A as a disk of B's size, if it fits.
std::optional<Structures> expected_on(const Image& a, const FoundTables& tables, std::uint64_t size_bytes)
{
  DiskOptions options;
  options.file = a.path();
  options.size = fmt::to_string(size_bytes);
  options.sector_size_bytes = tables.sector_size_bytes;
  options.table = tables.primary.valid() ? TableChoice::primary : TableChoice::backup;
  options.policy.truncated = Truncated::allow;
  try {
    return structures_of(Disk(options));
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::vector<std::byte> read_sector(const Image& image, std::uint32_t size_bytes)
{
  std::vector<std::byte> sector(size_bytes);
  image.read(0, sector);
  return sector;
}

class SlotMatcher {
public:
  SlotMatcher(const FoundTable& a, const FoundTable& b, Comparison& result)
      : a_(a), b_(b), entries_a_(used_entries(a.array, a.header.entry_size_bytes())),
        entries_b_(used_entries(b.array, b.header.entry_size_bytes())), result_(result)
  {
  }

  void match()
  {
    // The same slot first: of entries that share a GUID, none has moved needlessly.
    match_by([](const Entry& entry) { return std::pair(entry.slot, entry.partition_guid); });
    match_by([](const Entry& entry) { return entry.partition_guid; });
    match_by([](const Entry& entry) { return std::tuple(entry.first_lba, entry.last_lba, entry.type_guid); });
    for (const Entry& entry : entries_a_)
      if (!partner_a_.contains(entry.slot))
        result_.slots.push_back({Kind::only_in_a, entry.slot, 0, entry, std::nullopt, {}});
    for (const Entry& entry : entries_b_)
      if (!matched_b_.contains(entry.slot))
        result_.slots.push_back({Kind::only_in_b, 0, entry.slot, std::nullopt, entry, {}});
    compare_unused();
    std::ranges::sort(result_.same_slots);
    std::ranges::stable_sort(result_.slots, {}, [](const SlotDifference& difference) {
      return std::pair(difference.slot_a != 0 ? difference.slot_a : difference.slot_b, difference.slot_b);
    });
  }

private:
  static std::span<const std::byte> slot_bytes(const FoundTable& table, std::uint32_t slot)
  {
    const std::size_t size = table.header.entry_size_bytes();
    return std::span(table.array).subspan((slot - 1) * size, size);
  }

  template <typename Key>
  void match_by(Key key)
  {
    std::multimap<decltype(key(entries_a_[0])), const Entry*> free_b;
    for (const Entry& entry : entries_b_)
      if (!matched_b_.contains(entry.slot))
        free_b.emplace(key(entry), &entry);
    for (const Entry& entry : entries_a_) {
      if (partner_a_.contains(entry.slot))
        continue;
      const auto found = free_b.find(key(entry));
      if (found == free_b.end())
        continue;
      pair(entry, *found->second);
      free_b.erase(found);
    }
  }

  void pair(const Entry& a, const Entry& b)
  {
    partner_a_.insert(a.slot);
    matched_b_.insert(b.slot);
    SlotDifference difference{a.slot == b.slot ? Kind::changed : Kind::moved, a.slot, b.slot, a, b, {}};
    const auto bytes_a = slot_bytes(a_, a.slot), bytes_b = slot_bytes(b_, b.slot);
    for (const NamedField& field : entry_fields(std::min(bytes_a.size(), bytes_b.size()))) {
      const auto part_a = bytes_a.subspan(field.offset, field.size), part_b = bytes_b.subspan(field.offset, field.size);
      if (!std::ranges::equal(part_a, part_b))
        difference.fields.push_back({"", field.name, in_words(field, part_a), in_words(field, part_b)});
    }
    if (difference.kind == Kind::changed && difference.fields.empty())
      result_.same_slots.push_back(a.slot);
    else
      result_.slots.push_back(std::move(difference));
  }

  void compare_unused()
  {
    const std::uint32_t count = std::min(a_.header.entry_count(), b_.header.entry_count());
    if (a_.header.entry_size_bytes() != b_.header.entry_size_bytes())
      return;
    for (std::uint32_t slot = 1; slot <= count; ++slot) {
      if (partner_a_.contains(slot) || matched_b_.contains(slot))
        continue;
      const auto a = slot_bytes(a_, slot), b = slot_bytes(b_, slot);
      if (!get_guid(a, 0).is_nil() || !get_guid(b, 0).is_nil() || std::ranges::equal(a, b))
        continue;
      result_.slots.push_back({Kind::unused, slot, slot, std::nullopt, std::nullopt,
                               {{"", "bytes", is_zero(a) ? "zeros" : "junk", is_zero(b) ? "zeros" : "other bytes"}}});
    }
  }

  const FoundTable &a_, &b_;
  std::vector<Entry> entries_a_, entries_b_;
  std::set<std::uint32_t> partner_a_, matched_b_;
  Comparison& result_;
};

/// Compares MBR and headers with what they should be on B, or else with what they are on A.
class FieldComparer {
public:
  FieldComparer(Comparison& result, const std::optional<Structures>& expected)
      : result_(result), expected_(expected), sector_size_bytes_(result.tables_b.sector_size_bytes)
  {
  }

  void compare()
  {
    mbr();
    primary();
    backup();
  }

private:
  using Bytes = std::span<const std::byte>;

  void add(std::string structure, const NamedField& field, Bytes a, Bytes b)
  {
    result_.fields.push_back({std::move(structure), field.name, in_words(field, a), in_words(field, b)});
  }

  /// `own` is what A has in that place; on disks of one size, what A itself has is no difference.
  void compare_fields(const std::string& structure, const std::vector<NamedField>& fields, Bytes expected, Bytes own,
                      Bytes b, const std::set<std::string>& ignored)
  {
    const bool same_size = result_.a.size_bytes() == result_.b.size_bytes();
    for (const NamedField& field : fields) {
      const auto part = [&](Bytes bytes) { return bytes.subspan(field.offset, field.size); };
      if (ignored.contains(field.name) || std::ranges::equal(part(expected), part(b)) ||
          (same_size && std::ranges::equal(part(own), part(b))))
        continue;
      add(structure, field, part(expected), part(b));
    }
  }

  void mbr()
  {
    const std::vector<std::byte> own = read_sector(result_.a, sector_size_bytes_);
    const std::vector<std::byte> b = read_sector(result_.b, sector_size_bytes_);
    const Bytes expected = expected_ ? Bytes(expected_->mbr.bytes) : Bytes(own);
    std::set<std::string> ignored;
    if (!expected_)
      for (int i = 1; i <= 4; ++i)
        ignored.insert(fmt::format("record {} SizeInLBA", i));
    compare_fields("MBR", mbr_fields(sector_size_bytes_), expected, own, b, ignored);
  }

  /// What follows from other fields, or moves with the end of the disk while it cannot be told where to.
  std::set<std::string> ignored_in_headers() const
  {
    std::set<std::string> ignored{"HeaderCRC32", "PartitionEntryArrayCRC32"};
    if (!expected_)
      ignored.insert({"AlternateLBA", "LastUsableLBA", "MyLBA"});
    return ignored;
  }

  void primary()
  {
    const FoundTable &a = result_.tables_a.primary, &b = result_.tables_b.primary;
    if (!b.valid()) {
      if (a.valid() || !same_problem(a, b))
        result_.fields.push_back({"primary header", "state", a.valid() ? "valid" : problem(a), problem(b)});
      return;
    }
    if (!a.valid() && !expected_) {
      result_.fields.push_back({"primary header", "state", problem(a), "valid"});
      return;
    }
    const Bytes expected = expected_ ? Bytes(expected_->primary_header.bytes) : a.header.sector();
    compare_fields("primary header", header_fields(sector_size_bytes_), expected, a.header.sector(), b.header.sector(),
                   ignored_in_headers());
  }

  void backup()
  {
    const FoundTables &a = result_.tables_a, &b = result_.tables_b;
    const bool a_has = a.backup && a.backup->valid();
    const bool b_has = b.backup && b.backup->valid();
    const bool a_mirrors = a_has && a.primary.valid() && mirrors(a.primary, *a.backup);
    const bool b_mirrors = b_has && b.primary.valid() && mirrors(b.primary, *b.backup);
    if (!b_has) {
      // An image that has no backup either tells nothing about one.
      if (a_has)
        result_.fields.push_back({"backup header", "state", "valid", b.backup ? problem(*b.backup) : "none"});
      return;
    }
    if (b.primary.valid() && !b_mirrors && (a_mirrors || !a_has)) {
      result_.fields.push_back({"backup header", "state", "mirrors the primary", "differs from the primary"});
      return;
    }
    if (!a_has || !b_mirrors)
      return;
    const Bytes own = a.backup->header.sector();
    auto ignored = ignored_in_headers();
    // A mirror has these in common with its primary.
    ignored.insert({"MyLBA", "AlternateLBA", "FirstUsableLBA", "LastUsableLBA", "DiskGUID", "NumberOfPartitionEntries",
                    "SizeOfPartitionEntry"});
    if (!expected_ || !a_mirrors)
      ignored.insert("PartitionEntryLBA");
    compare_fields("backup header", header_fields(sector_size_bytes_),
                   expected_ && a_mirrors ? Bytes(expected_->backup_header.bytes) : own, own, b.backup->header.sector(),
                   ignored);
  }

  static std::string problem(const FoundTable& table)
  {
    const Problem& first = table.problems.front();
    return fmt::format("damaged: {} {}, expected {}", first.field, first.found, first.expected);
  }

  static bool same_problem(const FoundTable& a, const FoundTable& b) { return problem(a) == problem(b); }

  Comparison& result_;
  const std::optional<Structures>& expected_;
  std::uint32_t sector_size_bytes_;
};

std::string runs(std::uint32_t first, std::uint32_t last)
{
  return first == last ? fmt::format("slot {}", first) : fmt::format("slots {}-{}", first, last);
}

/// "slots 5-8 moved to 4-7, slot 2 moved to 9"
std::string describe_moves(const std::vector<SlotDifference>& slots)
{
  std::string text;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> moves;
  for (const SlotDifference& slot : slots)
    if (slot.kind == Kind::moved)
      moves.emplace_back(slot.slot_a, slot.slot_b);
  for (std::size_t i = 0; i < moves.size();) {
    std::size_t last = i;
    while (last + 1 < moves.size() && moves[last + 1].first == moves[last].first + 1 &&
           moves[last + 1].second == moves[last].second + 1)
      ++last;
    const auto [from, to] = moves[i];
    text += fmt::format("{}{} moved to {}", text.empty() ? "" : ", ", runs(from, moves[last].first),
                        i == last ? fmt::to_string(to) : fmt::format("{}-{}", to, moves[last].second));
    i = last + 1;
  }
  return text;
}

/// Finds the traces in the differences.
class Tracer {
public:
  Tracer(Comparison& result, const FoundTable& a, const FoundTable& b)
      : result_(result), entries_a_(used_entries(a.array, a.header.entry_size_bytes())),
        entries_b_(used_entries(b.array, b.header.entry_size_bytes())), table_a_(a)
  {
  }

  void trace()
  {
    moves();
    slots();
    headers();
    mbr();
    for (auto& [trace, sentence] : found_) {
      result_.traces.push_back(trace);
      result_.patterns.push_back(std::move(sentence));
      traces_.insert(trace);
    }
    if (!result_.same())
      result_.tools = tools_that_leave(traces_, possible());
  }

private:
  using Bytes = std::span<const std::byte>;

  void add(Trace trace, std::string sentence) { found_.try_emplace(trace, std::move(sentence)); }

  static bool is_dense(const std::vector<Entry>& entries)
  {
    return entries.empty() || entries.back().slot == entries.size();
  }

  static bool is_sorted(const std::vector<Entry>& entries)
  {
    return std::ranges::is_sorted(entries, {}, &Entry::first_lba);
  }

  void moves()
  {
    const std::string text = describe_moves(result_.slots);
    if (text.empty())
      return;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> pairs;  // slot of A, slot of B
    for (const SlotDifference& slot : result_.slots)
      if (slot.a && slot.b)
        pairs.emplace_back(slot.slot_a, slot.slot_b);
    for (const std::uint32_t slot : result_.same_slots)
      pairs.emplace_back(slot, slot);
    std::ranges::sort(pairs);
    const bool same_order = std::ranges::is_sorted(pairs, {}, [](const auto& pair) { return pair.second; });
    if (same_order && !is_dense(entries_a_) && is_dense(entries_b_))
      add(Trace::gap_closed, "gap closed: " + text);
    else if (!same_order && is_sorted(entries_b_) && !is_sorted(entries_a_))
      add(Trace::entries_sorted, fmt::format("entries sorted by StartingLBA{}: {}",
                                             !is_dense(entries_a_) && is_dense(entries_b_) ? ", gap closed" : "", text));
    else
      add(Trace::entries_moved, "entries in other slots: " + text);
  }

  void slots()
  {
    for (const SlotDifference& slot : result_.slots) {
      if (slot.kind == Kind::only_in_a)
        add(Trace::entries_missing, fmt::format("partition lost: slot {} of A", slot.slot_a));
      else if (slot.kind == Kind::only_in_b)
        add(Trace::entries_added, fmt::format("partition added: slot {} of B", slot.slot_b));
      else if (slot.kind == Kind::unused)
        add(Trace::unused_slots_changed, fmt::format("bytes of unused slots lost: slot {}", slot.slot_a));
      for (const FieldDifference& field : slot.fields)
        entry_field(slot, field);
    }
  }

  void entry_field(const SlotDifference& slot, const FieldDifference& field)
  {
    if (!slot.a || !slot.b)
      return;
    if (field.field == "EndingLBA" && slot.a->first_lba == slot.b->first_lba && slot.a->last_lba < slot.b->last_lba)
      add(Trace::partition_grown, fmt::format("partition grown: slot {} ends at LBA {}, was {}", slot.slot_b,
                                              slot.b->last_lba.value, slot.a->last_lba.value));
    else if (field.field == "StartingLBA" || field.field == "EndingLBA")
      add(Trace::extents_changed, fmt::format("partition moved or resized: slot {} is at LBA {}-{}, was {}-{}",
                                              slot.slot_b, slot.b->first_lba.value, slot.b->last_lba.value,
                                              slot.a->first_lba.value, slot.a->last_lba.value));
    else if (field.field == "UniquePartitionGUID")
      add(Trace::partition_guids_changed, "partitions have new GUIDs");
    else
      add(Trace::entry_fields_changed, fmt::format("slot {}: {} changed", slot.slot_b, field.field));
  }

  void headers()
  {
    for (const FieldDifference& field : result_.fields) {
      const bool primary = field.structure == "primary header";
      if (!primary && field.structure != "backup header")
        continue;
      if (field.field == "state")
        primary ? add(Trace::primary_bad, "the primary table is not what it was: " + field.b)
                : add(Trace::backup_bad, "the backup table is not what it was: " + field.b);
      else if (field.field == "AlternateLBA" || field.field == "LastUsableLBA")
        end_of_disk(field);
      else if (field.field == "PartitionEntryLBA" && !primary && is_left_behind())
        end_of_disk(field);
      else if (field.field == "PartitionEntryLBA" && (primary || has_same_shape()))
        add(Trace::array_moved, fmt::format("array moved: {} says PartitionEntryLBA {}, was {}", field.structure,
                                            field.b, field.a));
      else if (field.field == "PartitionEntryLBA")
        continue;  // a backup array of another length begins elsewhere
      else if (field.field == "NumberOfPartitionEntries" || field.field == "SizeOfPartitionEntry")
        add(Trace::array_shape_changed, fmt::format("array of another shape: {} {}, was {}", field.field, field.b, field.a));
      else if (field.field == "rest of the sector" || field.field == "HeaderSize" || field.field == "Reserved")
        add(Trace::header_tail_lost, "header tail lost: bytes of the header that UEFI reserves are not what they were");
      else if (field.field == "DiskGUID")
        add(Trace::disk_guid_changed, "the disk has a new GUID");
      else
        add(Trace::header_changed, fmt::format("{} of the {} changed from {} to {}", field.field, field.structure,
                                               field.a, field.b));
    }
  }

  bool has_same_shape() const
  {
    const Header& b = result_.tables_b.primary.header;
    return table_a_.header.entry_count() == b.entry_count() && table_a_.header.entry_size_bytes() == b.entry_size_bytes();
  }

  bool is_left_behind() const
  {
    const FoundTable& b = result_.tables_b.primary;
    return b.valid() && b.header.alternate_lba() < result_.tables_b.last_lba;
  }

  void end_of_disk(const FieldDifference& field)
  {
    if (is_left_behind())
      add(Trace::backup_left_behind, fmt::format("backup left behind: at LBA {}, the disk's last LBA is {}",
                                                 result_.tables_b.primary.header.alternate_lba().value,
                                                 result_.tables_b.last_lba.value));
    else
      add(Trace::header_changed, fmt::format("{} is {}, expected {}", field.field, field.b, field.a));
  }

  void mbr()
  {
    const auto a = mbr_records(read_sector(result_.a, 512)), b = mbr_records(read_sector(result_.b, 512));
    const auto has_active = [](const auto& records) {
      return std::ranges::any_of(records, [](const MbrRecord& record) { return record.boot_indicator == 0x80; });
    };
    if (is_hybrid(a) && !is_hybrid(b))
      add(Trace::hybrid_lost, "hybrid MBR destroyed: its records for partitions are gone");
    for (const FieldDifference& field : result_.fields) {
      if (field.structure != "MBR")
        continue;
      if (field.field.ends_with("BootIndicator") && has_active(a) && !has_active(b))
        add(Trace::active_flag_cleared, "active flag cleared: no record of the MBR is active any more");
      else if ((field.field == "UniqueMBRDiskSignature" || field.field == "Unknown") && is_signature_zero())
        add(Trace::disk_signature_zeroed, "disk signature zeroed: bytes 440-445 of the MBR");
      else if (field.field.ends_with("CHS"))
        add(Trace::chs_rewritten, "CHS fields of the MBR rewritten");
      else if (field.field.ends_with("SizeInLBA") && is_left_behind())
        end_of_disk(field);
      else if (!found_.contains(Trace::hybrid_lost))
        add(Trace::mbr_changed, fmt::format("{} of the MBR changed from {} to {}", field.field, field.a, field.b));
    }
  }

  bool is_signature_zero() const
  {
    return is_zero(std::span<const std::byte>(read_sector(result_.b, 512)).subspan(440, 6));
  }

  static bool is_hybrid(const std::array<MbrRecord, 4>& records)
  {
    return std::ranges::any_of(records,
                               [](const MbrRecord& record) { return record.os_type != 0 && record.os_type != kGptProtective; });
  }

  /// What A has to lose.
  std::set<Trace> possible() const
  {
    std::set<Trace> possible;
    const auto when = [&](bool condition, Trace trace) {
      if (condition)
        possible.insert(trace);
    };
    const std::vector<std::byte> mbr = read_sector(result_.a, 512);
    const auto records = mbr_records(mbr);
    const Bytes header = table_a_.header.sector();
    when(!is_dense(entries_a_), Trace::gap_closed);
    when(!is_sorted(entries_a_), Trace::entries_sorted);
    when(!entries_a_.empty(), Trace::partition_grown);
    when(!entries_a_.empty(), Trace::extents_changed);
    when(!entries_a_.empty(), Trace::partition_guids_changed);
    when(has_junk(), Trace::unused_slots_changed);
    when(table_a_.header.partition_entry_lba() != Lba{2} && table_a_.at == kPrimaryLba, Trace::array_moved);
    when(table_a_.header.header_size_bytes() != 92 || !is_zero(header.subspan(92)) || !is_zero(header.subspan(20, 4)),
         Trace::header_tail_lost);
    when(result_.a.size_bytes() < result_.b.size_bytes(), Trace::backup_left_behind);
    when(std::ranges::any_of(records, [](const MbrRecord& record) { return record.boot_indicator == 0x80; }),
         Trace::active_flag_cleared);
    when(!is_zero(Bytes(mbr).subspan(440, 6)), Trace::disk_signature_zeroed);
    when(is_hybrid(records), Trace::hybrid_lost);
    possible.insert(Trace::disk_guid_changed);
    when(!has_usual_chs(mbr), Trace::chs_rewritten);
    return possible;
  }

  /// What the tools write into a protective record of a disk beyond what CHS can name.
  static bool has_usual_chs(Bytes mbr)
  {
    return to_hex(mbr.subspan(447, 3)) == "000200" && to_hex(mbr.subspan(451, 3)) == "ffffff";
  }

  bool has_junk() const
  {
    const std::size_t size = table_a_.header.entry_size_bytes();
    for (std::size_t at = 0; at + size <= table_a_.array.size(); at += size) {
      const Bytes slot = Bytes(table_a_.array).subspan(at, size);
      if (get_guid(slot, 0).is_nil() && !is_zero(slot))
        return true;
    }
    return false;
  }

  Comparison& result_;
  std::vector<Entry> entries_a_, entries_b_;
  const FoundTable& table_a_;
  std::map<Trace, std::string> found_;
  std::set<Trace> traces_;
};

}  // namespace

Comparison compare(Image a, Image b, std::optional<std::uint32_t> sector_size_bytes)
{
  FoundTables tables_a = find_tables(a, sector_size_bytes), tables_b = find_tables(b, sector_size_bytes);
  Comparison result{.a = std::move(a),
                    .b = std::move(b),
                    .tables_a = std::move(tables_a),
                    .tables_b = std::move(tables_b),
                    .same_slots = {},
                    .slots = {},
                    .fields = {},
                    .traces = {},
                    .patterns = {},
                    .tools = {}};
  const FoundTable& table_a = table_of(result.a, result.tables_a);
  const FoundTable& table_b = table_of(result.b, result.tables_b);
  if (result.tables_a.sector_size_bytes != result.tables_b.sector_size_bytes)
    refuse("{}: table for {}-byte sectors, expected {} as in {}: LBAs cannot be compared", result.b.path(),
           result.tables_b.sector_size_bytes, result.tables_a.sector_size_bytes, result.a.path());
  const std::optional<Structures> expected = expected_on(result.a, result.tables_a, result.b.size_bytes());
  SlotMatcher(table_a, table_b, result).match();
  FieldComparer(result, expected).compare();
  Tracer(result, table_a, table_b).trace();
  return result;
}

}  // namespace gptgrow
