// SPDX-License-Identifier: BSD-3-Clause
#include "core/report/comparison_report.h"

#include "core/error.h"
#include "core/report/json.h"
#include "core/size.h"

#include <fmt/core.h>

namespace gptgrow {

namespace {

using Kind = SlotDifference::Kind;

std::string describe(const Entry& entry)
{
  const std::string type = type_name(entry.type_guid);
  return fmt::format("LBA {}-{}, {}{}", entry.first_lba.value, entry.last_lba.value,
                     type.empty() ? to_string(entry.type_guid) : type,
                     entry.name.empty() ? "" : ", \"" + printable(entry.name) + '"');
}

std::string headline(const SlotDifference& slot)
{
  switch (slot.kind) {
  case Kind::moved: return fmt::format("moved ({}\u2190{}): {}", slot.slot_b, slot.slot_a, describe(*slot.b));
  case Kind::changed: return "changed: " + describe(*slot.b);
  case Kind::only_in_a: return "only in A: " + describe(*slot.a);
  case Kind::only_in_b: return "only in B: " + describe(*slot.b);
  case Kind::unused: break;
  }
  return "unused on both sides";
}

std::string kind_name(Kind kind)
{
  switch (kind) {
  case Kind::moved: return "moved";
  case Kind::changed: return "changed";
  case Kind::only_in_a: return "only_in_a";
  case Kind::only_in_b: return "only_in_b";
  case Kind::unused: break;
  }
  return "unused_bytes";
}

std::string trace_name(Trace trace)
{
  switch (trace) {
  case Trace::gap_closed: return "gap_closed";
  case Trace::entries_sorted: return "entries_sorted";
  case Trace::entries_moved: return "entries_moved";
  case Trace::extents_changed: return "extents_changed";
  case Trace::partition_grown: return "partition_grown";
  case Trace::partition_guids_changed: return "partition_guids_changed";
  case Trace::entries_missing: return "entries_missing";
  case Trace::entries_added: return "entries_added";
  case Trace::entry_fields_changed: return "entry_fields_changed";
  case Trace::unused_slots_changed: return "unused_slots_changed";
  case Trace::disk_guid_changed: return "disk_guid_changed";
  case Trace::array_moved: return "array_moved";
  case Trace::array_shape_changed: return "array_shape_changed";
  case Trace::header_tail_lost: return "header_tail_lost";
  case Trace::header_changed: return "header_changed";
  case Trace::backup_left_behind: return "backup_left_behind";
  case Trace::backup_bad: return "backup_bad";
  case Trace::primary_bad: return "primary_bad";
  case Trace::active_flag_cleared: return "active_flag_cleared";
  case Trace::disk_signature_zeroed: return "disk_signature_zeroed";
  case Trace::chs_rewritten: return "chs_rewritten";
  case Trace::hybrid_lost: return "hybrid_lost";
  case Trace::mbr_changed: break;
  }
  return "mbr_changed";
}

Json field_json(const FieldDifference& field)
{
  Json json{{"field", field.field}, {"a", field.a}, {"b", field.b}};
  if (!field.structure.empty())
    json["structure"] = field.structure;
  return json;
}

}  // namespace

std::string to_text(const Comparison& comparison, const TextStyle& style)
{
  std::string out = message("A: {}, {}\nB: {}, {}\n\n", comparison.a.path(), format_size(comparison.a.size_bytes()),
                                comparison.b.path(), format_size(comparison.b.size_bytes()));
  if (comparison.same())
    return out + emphasize(style, Emphasis::good, "same: B has A's table, as it should be on a disk of B's size") + '\n';

  out += emphasize(style, Emphasis::title, "Diagnosis") + '\n';
  for (const std::string& pattern : comparison.patterns)
    out += wrap(style, "  - ", pattern);
  std::string tools;
  for (const std::string& tool : comparison.tools)
    tools += (tools.empty() ? "" : "; ") + tool;
  out += wrap(style, "  ", tools.empty() ? "no single tool is known to leave exactly these traces"
                                         : "as left by: " + tools);

  out += '\n' + emphasize(style, Emphasis::title, "Slots") + '\n';
  if (!comparison.same_slots.empty())
    out += wrap(style, "  same: ", join_runs(comparison.same_slots));
  for (const SlotDifference& slot : comparison.slots) {
    const std::string line = fmt::format("  {:>4}  {}", slot.slot_b != 0 ? slot.slot_b : slot.slot_a, headline(slot));
    out += emphasize(style, Emphasis::warning, line) + '\n';
    for (const FieldDifference& field : slot.fields)
      out += fmt::format("        {}: {} in A, {} in B\n", field.field, field.a, field.b);
  }
  if (!comparison.fields.empty())
    out += '\n' + emphasize(style, Emphasis::title, "MBR and headers (expected from A, found in B)") + '\n';
  for (const FieldDifference& field : comparison.fields)
    out += fmt::format("  {}, {}: {}, found {}\n", field.structure, field.field, field.a, field.b);
  return out;
}

Json json_of(const Comparison& comparison)
{
  const std::uint32_t sector_size_bytes = comparison.tables_a.sector_size_bytes;
  const auto side = [](const Image& image) {
    return Json{{"path", image.path()}, {"size_bytes", image.size_bytes()}};
  };
  Json slots = Json::array();
  for (const SlotDifference& slot : comparison.slots) {
    Json fields = Json::array();
    for (const FieldDifference& field : slot.fields)
      fields.push_back(field_json(field));
    slots.push_back({{"kind", kind_name(slot.kind)},
                     {"slot_a", slot.slot_a != 0 ? Json(slot.slot_a) : Json()},
                     {"slot_b", slot.slot_b != 0 ? Json(slot.slot_b) : Json()},
                     {"a", slot.a ? entry_json(*slot.a, sector_size_bytes) : Json()},
                     {"b", slot.b ? entry_json(*slot.b, sector_size_bytes) : Json()},
                     {"fields", std::move(fields)}});
  }
  Json fields = Json::array();
  for (const FieldDifference& field : comparison.fields)
    fields.push_back(field_json(field));
  Json patterns = Json::array();
  for (std::size_t i = 0; i < comparison.traces.size(); ++i)
    patterns.push_back({{"pattern", trace_name(comparison.traces[i])}, {"text", comparison.patterns[i]}});
  return {{"a", side(comparison.a)},
          {"b", side(comparison.b)},
          {"sector_size_bytes", sector_size_bytes},
          {"same", comparison.same()},
          {"patterns", std::move(patterns)},
          {"tools", comparison.tools},
          {"same_slots", comparison.same_slots},
          {"slots", std::move(slots)},
          {"fields", std::move(fields)}};
}

std::string to_json(const Comparison& comparison)
{
  return dump(json_of(comparison));
}

}  // namespace gptgrow
