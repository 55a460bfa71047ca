// SPDX-License-Identifier: BSD-3-Clause
#include "core/compare/findings.h"

#include "core/compare/compare.h"
#include "core/gpt/mbr.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace gptgrow {

namespace {

using Kind = SlotDifference::Kind;
using Slots = std::vector<std::uint32_t>;

/// "slot 3", "slots 3, 5-8". Precondition: ascending, not empty.
std::string slots_in_words(const Slots& slots)
{
  std::string text = slots.size() == 1 ? "slot " : "slots ";
  for (std::size_t i = 0; i < slots.size();) {
    std::size_t last = i;
    while (last + 1 < slots.size() && slots[last + 1] == slots[last] + 1)
      ++last;
    text += fmt::format("{}{}", i == 0 ? "" : ", ", slots[i]);
    if (last != i)
      text += fmt::format("-{}", slots[last]);
    i = last + 1;
  }
  return text;
}

/// "slots 5-8 moved to 4-7, slot 2 moved to 9"
std::string moves_in_words(const std::vector<SlotDifference>& slots)
{
  std::string text;
  std::vector<SlotDifference> moves;
  std::ranges::copy_if(slots, std::back_inserter(moves), [](const auto& slot) { return slot.kind == Kind::moved; });
  for (std::size_t i = 0; i < moves.size();) {
    Slots from{moves[i].slot_a}, to{moves[i].slot_b};
    for (++i; i < moves.size() && moves[i].slot_a == from.back() + 1 && moves[i].slot_b == to.back() + 1; ++i) {
      from.push_back(moves[i].slot_a);
      to.push_back(moves[i].slot_b);
    }
    text += fmt::format("{}{} moved to {}", text.empty() ? "" : ", ", slots_in_words(from),
                        to.size() == 1 ? fmt::to_string(to[0]) : fmt::format("{}-{}", to[0], to.back()));
  }
  return text;
}

bool is_dense(const FoundTable& table)
{
  const Slots used = used_slots(table);
  return used.empty() || used.back() == used.size();
}

bool is_sorted(const FoundTable& table)
{
  return std::ranges::is_sorted(used_slots(table), {}, [&](std::uint32_t slot) { return first_lba_in(table, slot); });
}

class Findings {
public:
  explicit Findings(const Comparison& comparison)
      : comparison_(comparison), fields_(entry_fields(comparison.table_a().header.entry_size_bytes()))
  {
  }

  std::vector<Finding> find()
  {
    moves();
    slots();
    for (const FieldDifference& field : comparison_.fields)
      if (field.part != Part::mbr)
        header_field(field);
    mbr();
    std::vector<Finding> findings;
    for (auto& [trace, text] : found_)
      findings.push_back({trace, std::move(text)});
    return findings;
  }

private:
  void add(Trace trace, std::string text) { found_.try_emplace(trace, std::move(text)); }

  void add(Trace trace, const char* one, const char* several, const Slots& slots, const char* side = "")
  {
    if (!slots.empty())
      add(trace, fmt::format("{}: {}{}", slots.size() == 1 ? one : several, slots_in_words(slots), side));
  }

  void moves()
  {
    const std::string text = moves_in_words(comparison_.slots);
    if (text.empty())
      return;
    const FoundTable &a = comparison_.table_a(), &b = comparison_.table_b();
    std::vector<std::pair<std::uint32_t, std::uint32_t>> pairs;  // slot of A, slot of B
    for (const SlotDifference& slot : comparison_.slots)
      if (slot.kind == Kind::moved || slot.kind == Kind::changed)
        pairs.emplace_back(slot.slot_a, slot.slot_b);
    for (const std::uint32_t slot : comparison_.same_slots)
      pairs.emplace_back(slot, slot);
    std::ranges::sort(pairs);
    const bool same_order = std::ranges::is_sorted(pairs, {}, [](const auto& pair) { return pair.second; });
    const bool closed = !is_dense(a) && is_dense(b);
    if (same_order && closed)
      add(Trace::gap_closed, "gap closed: " + text);
    else if (!same_order && is_sorted(b) && !is_sorted(a))
      add(Trace::entries_sorted,
          fmt::format("entries sorted by StartingLBA{}: {}", closed ? ", gap closed" : "", text));
    else
      add(Trace::entries_moved, "entries in other slots: " + text);
  }

  void slots()
  {
    std::map<Kind, Slots> of_kind;
    for (const SlotDifference& slot : comparison_.slots) {
      of_kind[slot.kind].push_back(slot.slot_a != 0 ? slot.slot_a : slot.slot_b);
      if (slot.changed_fields != 0)
        changed(slot);
    }
    add(Trace::entries_missing, "partition lost", "partitions lost", of_kind[Kind::only_in_a], " of A");
    add(Trace::entries_added, "partition added", "partitions added", of_kind[Kind::only_in_b], " of B");
    add(Trace::unused_slots_changed, "bytes of unused slots lost", "bytes of unused slots lost", of_kind[Kind::unused]);
    changes();
  }

  void changed(const SlotDifference& slot)
  {
    const Entry a = entry_in(comparison_.table_a(), slot.slot_a), b = entry_in(comparison_.table_b(), slot.slot_b);
    if (is_extended(comparison_, slot))
      return extended_.push_back(slot.slot_b);
    if (a.first_lba == b.first_lba && a.last_lba < b.last_lba)
      grown_.push_back(slot.slot_b);
    else if (a.first_lba != b.first_lba || a.last_lba != b.last_lba)
      resized_.push_back(slot.slot_b);
    if (a.partition_guid != b.partition_guid)
      new_guids_.push_back(slot.slot_b);
    for (std::size_t i = 0; i < fields_.size(); ++i)
      if ((slot.changed_fields >> i & 1U) != 0 && fields_[i].id != FieldId::first_lba &&
          fields_[i].id != FieldId::last_lba && fields_[i].id != FieldId::partition_guid)
        changed_[fields_[i].name].push_back(slot.slot_b);
  }

  void changes()
  {
    for (Slots* slots : {&extended_, &grown_, &resized_, &new_guids_})
      std::ranges::sort(*slots);
    const auto extents = [&](Trace trace, const char* one, const char* several, const char* now, const Slots& slots) {
      if (slots.size() != 1)
        return add(trace, several, several, slots);
      const auto slot = std::ranges::find(comparison_.slots, slots[0], &SlotDifference::slot_b);
      const Entry a = entry_in(comparison_.table_a(), slot->slot_a), b = entry_in(comparison_.table_b(), slot->slot_b);
      add(trace, fmt::format("{}: slot {} {} LBA {}-{}, was {}-{}", one, slots[0], now, b.first_lba.value,
                             b.last_lba.value, a.first_lba.value, a.last_lba.value));
    };
    extents(Trace::partition_extended, "partition extended to the end of the disk", "partitions extended", "is now at",
            extended_);
    extents(Trace::partition_grown, "partition grown", "partitions grown", "is now at", grown_);
    extents(Trace::extents_changed, "partition moved or resized", "partitions moved or resized", "is at", resized_);
    add(Trace::partition_guids_changed, "partition has a new GUID", "partitions have new GUIDs", new_guids_);
    std::string text;
    for (auto& [name, slots] : changed_) {
      std::ranges::sort(slots);
      text += fmt::format("{}{} changed: {}", text.empty() ? "" : "; ", name, slots_in_words(slots));
    }
    if (!text.empty())
      add(Trace::entry_fields_changed, text);
  }

  void header_field(const FieldDifference& field)
  {
    const bool primary = field.part == Part::primary_header;
    const char* part = primary ? "primary header" : "backup header";
    if (field.is_state)
      return primary ? add(Trace::primary_bad, "the primary table is not what it was: " + field.b)
                     : add(Trace::backup_bad, "the backup table is not what it was: " + field.b);
    switch (field.id) {
    case FieldId::alternate_lba:
    case FieldId::last_usable_lba: return end_of_disk(field);
    case FieldId::partition_entry_lba:
      if (!primary && is_left_behind())
        return end_of_disk(field);
      if (primary || has_same_shape())  // a backup array of another length begins elsewhere
        add(Trace::array_moved,
            fmt::format("array moved: {} says PartitionEntryLBA {}, was {}", part, field.b, field.a));
      return;
    case FieldId::entry_count:
    case FieldId::entry_size:
      return add(Trace::array_shape_changed,
                 fmt::format("array of another shape: {} {}, was {}", field.field, field.b, field.a));
    case FieldId::header_size:
    case FieldId::reserved:
      return add(Trace::header_tail_lost,
                 "header tail lost: bytes of the header that UEFI reserves are not what they were");
    case FieldId::disk_guid: return add(Trace::disk_guid_changed, "the disk has a new GUID");
    default:
      return add(Trace::header_changed,
                 fmt::format("{} of the {} changed from {} to {}", field.field, part, field.a, field.b));
    }
  }

  bool has_same_shape() const
  {
    const Header &a = comparison_.table_a().header, &b = comparison_.tables_b.primary.header;
    return a.entry_count() == b.entry_count() && a.entry_size_bytes() == b.entry_size_bytes();
  }

  bool is_left_behind() const
  {
    const FoundTable& b = comparison_.tables_b.primary;
    return b.valid() && b.header.alternate_lba() < comparison_.tables_b.last_lba;
  }

  void end_of_disk(const FieldDifference& field)
  {
    if (is_left_behind())
      add(Trace::backup_left_behind,
          fmt::format("backup left behind: at LBA {}, the disk's last LBA is {}",
                      comparison_.tables_b.primary.header.alternate_lba().value, comparison_.tables_b.last_lba.value));
    else
      add(Trace::header_changed, fmt::format("{} is {}, expected {}", field.field, field.b, field.a));
  }

  void mbr()
  {
    const std::vector<std::byte> bytes = read_bytes(*comparison_.b, {0, 512});
    const auto a = mbr_records(read_bytes(*comparison_.a, {0, 512})), b = mbr_records(bytes);
    const auto has = [](const auto& records, auto what) { return std::ranges::any_of(records, what); };
    const auto protects = [](const MbrRecord& record) { return record.os_type == kGptProtective; };
    const auto is_active = [](const MbrRecord& record) { return record.boot_indicator == 0x80; };
    const auto is_other = [](const MbrRecord& record) {
      return record.os_type != 0 && record.os_type != kGptProtective;
    };
    if (has(a, protects) && !has(b, protects)) {
      add(Trace::protective_record_lost, is_zero(bytes)
                                             ? "the protective record is gone: the MBR is zeroed"
                                             : "the protective record is gone: no record of the MBR has type 0xEE");
      if (is_zero(bytes))
        return;
    }
    if (has(a, is_other) && !has(b, is_other))
      add(Trace::hybrid_lost, "hybrid MBR destroyed: its records for partitions are gone");
    if (has(a, is_active) && !has(b, is_active))
      add(Trace::active_flag_cleared, "active flag cleared: no record of the MBR is active any more");
    const bool signature_zero = is_zero(std::span(bytes).subspan(440, 6));
    for (const FieldDifference& field : comparison_.fields)
      if (field.part == Part::mbr)
        mbr_field(field, signature_zero);
  }

  void mbr_field(const FieldDifference& field, bool signature_zero)
  {
    const bool records_lost = found_.contains(Trace::hybrid_lost) || found_.contains(Trace::protective_record_lost);
    switch (field.id) {
    case FieldId::boot_indicator:
      if (found_.contains(Trace::active_flag_cleared))
        return;
      break;
    case FieldId::disk_signature:
      if (signature_zero)
        return add(Trace::disk_signature_zeroed, "disk signature zeroed: bytes 440-445 of the MBR");
      break;
    case FieldId::chs:
      if (!found_.contains(Trace::protective_record_lost))
        add(Trace::chs_rewritten, "CHS fields of the MBR rewritten");
      return;
    case FieldId::size_in_lba:
      if (is_left_behind() && !records_lost)
        return end_of_disk(field);
      break;
    default: break;
    }
    const bool of_record =
        field.id != FieldId::boot_code && field.id != FieldId::other && field.id != FieldId::disk_signature;
    if (!of_record || !records_lost)
      add(Trace::mbr_changed, fmt::format("{} of the MBR changed from {} to {}", field.field, field.a, field.b));
  }

  const Comparison& comparison_;
  std::vector<NamedField> fields_;
  std::map<Trace, std::string> found_;
  Slots extended_, grown_, resized_, new_guids_;  // of B
  std::map<std::string, Slots> changed_;          // by the field's name
};

}  // namespace

std::vector<Finding> findings_of(const Comparison& comparison)
{
  return Findings(comparison).find();
}

}  // namespace gptgrow
