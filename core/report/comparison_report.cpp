// SPDX-License-Identifier: BSD-3-Clause
#include "core/report/comparison_report.h"

#include "core/disk/size.h"
#include "core/error.h"
#include "core/report/json.h"
#include "core/report/type_name.h"
#include "core/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace gptgrow {

namespace {

using Kind = SlotDifference::Kind;

std::string describe(const Entry& entry)
{
  return fmt::format("LBA {}-{}, {}{}", entry.first_lba.value, entry.last_lba.value, type_text(entry.type_guid),
                     entry.name.empty() ? "" : ", \"" + printable(entry.name) + '"');
}

std::string headline(const Comparison& comparison, const SlotDifference& slot)
{
  const auto a = [&] { return describe(entry_in(comparison.table_a(), slot.slot_a)); };
  const auto b = [&] { return describe(entry_in(comparison.table_b(), slot.slot_b)); };
  switch (slot.kind) {
  case Kind::moved: return fmt::format("moved ({}\u2190{}): {}", slot.slot_b, slot.slot_a, b());
  case Kind::changed: return (is_extended(comparison, slot) ? "extended: " : "changed: ") + b();
  case Kind::only_in_a: return "only in A: " + a();
  case Kind::only_in_b: return "only in B: " + b();
  case Kind::unused: break;
  }
  return "unused on both sides";
}

const char* kind_name(const Comparison& comparison, const SlotDifference& slot)
{
  switch (slot.kind) {
  case Kind::moved: return "moved";
  case Kind::changed: return is_extended(comparison, slot) ? "extended" : "changed";
  case Kind::only_in_a: return "only_in_a";
  case Kind::only_in_b: return "only_in_b";
  case Kind::unused: break;
  }
  return "unused_bytes";
}

const char* trace_name(Trace trace)
{
  switch (trace) {
  case Trace::gap_closed: return "gap_closed";
  case Trace::entries_sorted: return "entries_sorted";
  case Trace::entries_moved: return "entries_moved";
  case Trace::extents_changed: return "extents_changed";
  case Trace::partition_extended: return "partition_extended";
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
  case Trace::protective_record_lost: return "protective_record_lost";
  case Trace::active_flag_cleared: return "active_flag_cleared";
  case Trace::disk_signature_zeroed: return "disk_signature_zeroed";
  case Trace::chs_rewritten: return "chs_rewritten";
  case Trace::hybrid_lost: return "hybrid_lost";
  case Trace::mbr_changed: break;
  }
  return "mbr_changed";
}

const char* part_name(Part part)
{
  switch (part) {
  case Part::mbr: return "MBR";
  case Part::primary_header: return "primary header";
  case Part::backup_header: break;
  }
  return "backup header";
}

Json field_json(const FieldDifference& field)
{
  return {{"field", field.field}, {"a", field.a}, {"b", field.b}, {"structure", part_name(field.part)}};
}

/// Calls `use` with the name of each field of a slot that differs, and with both values in words.
template <typename Use>
void for_each_field(const Comparison& comparison, const SlotDifference& slot, const std::vector<NamedField>& fields,
                    Use use)
{
  if (slot.kind == Kind::only_in_a || slot.kind == Kind::only_in_b)
    return;
  const auto a = slot_bytes(comparison.table_a(), slot.slot_a), b = slot_bytes(comparison.table_b(), slot.slot_b);
  if (slot.kind == Kind::unused)
    return use("bytes", is_zero(a) ? "zeros" : "junk", is_zero(b) ? "zeros" : "other bytes");
  for (std::size_t i = 0; i < fields.size(); ++i)
    if ((slot.changed_fields >> i & 1U) != 0)
      use(fields[i].name, in_words(fields[i], a.subspan(fields[i].offset, fields[i].size)),
          in_words(fields[i], b.subspan(fields[i].offset, fields[i].size)));
}

std::vector<NamedField> fields_of_entries(const Comparison& comparison)
{
  return entry_fields(
      std::min(comparison.table_a().header.entry_size_bytes(), comparison.table_b().header.entry_size_bytes()));
}

std::string tools_in_words(const std::vector<std::string>& tools)
{
  if (tools.empty())
    return "no single tool is known to leave exactly this";
  if (tools.size() == 1)
    return "as left by: " + tools[0];
  std::string text = "as left by one of: ";
  for (std::size_t i = 0; i < tools.size(); ++i)
    text += (i == 0 ? "" : "; ") + tools[i];
  return text;
}

void append_slot(std::string& out, const Comparison& comparison, const SlotDifference& slot,
                 const std::vector<NamedField>& names)
{
  JsonObject object(out);
  const auto number = [](std::uint32_t value) { return value != 0 ? std::optional(value) : std::nullopt; };
  const auto entry = [&](const char* key, const FoundTable& table, std::uint32_t value) {
    object.begin(key);
    if (value == 0 || slot.kind == Kind::unused)
      out += "null";
    else
      append_entry(out, entry_in(table, value), comparison.tables_a.sector_size_bytes, JsonLayout::line);
  };
  object.add("kind", kind_name(comparison, slot)).add("slot_a", number(slot.slot_a)).add("slot_b", number(slot.slot_b));
  entry("a", comparison.table_a(), slot.slot_a);
  entry("b", comparison.table_b(), slot.slot_b);
  object.begin("fields") += '[';
  bool is_first = true;
  for_each_field(comparison, slot, names, [&](const std::string& name, const std::string& a, const std::string& b) {
    if (!is_first)
      out += ',';
    is_first = false;
    JsonObject(out).add("field", name).add("a", a).add("b", b);
  });
  out += ']';
}

}  // namespace

std::string to_text(const Comparison& comparison, const TextStyle& style)
{
  std::string out = message("A: {}, {}\nB: {}, {}\n\n", comparison.a->name(), format_size(comparison.a->size_bytes()),
                            comparison.b->name(), format_size(comparison.b->size_bytes()));
  if (comparison.same())
    return out + emphasize(style, Emphasis::good, "same: B has A's table, as it should be on a disk of B's size") +
           '\n';

  out += emphasize(style, Emphasis::title, "Diagnosis") + '\n';
  for (const Finding& finding : comparison.findings)
    out += wrap(style, "  - ", finding.text);
  out += wrap(style, "  ", tools_in_words(comparison.tools));

  out += '\n' + emphasize(style, Emphasis::title, "Slots") + '\n';
  if (!comparison.same_slots.empty())
    out += wrap(style, "  same: ", join_runs(comparison.same_slots));
  const std::vector<NamedField> fields = fields_of_entries(comparison);
  for (const SlotDifference& slot : comparison.slots) {
    const std::string line =
        fmt::format("  {:>4}  {}", slot.slot_b != 0 ? slot.slot_b : slot.slot_a, headline(comparison, slot));
    out += emphasize(style, Emphasis::warning, line) + '\n';
    for_each_field(comparison, slot, fields, [&](const std::string& name, const std::string& a, const std::string& b) {
      out += fmt::format("        {}: {} in A, {} in B\n", name, a, b);
    });
  }
  if (!comparison.fields.empty())
    out += '\n' + emphasize(style, Emphasis::title, "MBR and headers (expected from A, found in B)") + '\n';
  for (const FieldDifference& field : comparison.fields)
    out += fmt::format("  {}, {}: {}, found {}\n", part_name(field.part), field.field, field.a, field.b);
  return out;
}

Json json_of(const Comparison& comparison)
{
  const auto side = [](const Source& image) {
    return Json{{"path", image.name()}, {"size_bytes", image.size_bytes()}};
  };
  Json fields = Json::array();
  for (const FieldDifference& field : comparison.fields)
    fields.push_back(field_json(field));
  Json patterns = Json::array();
  for (const Finding& finding : comparison.findings)
    patterns.push_back({{"pattern", trace_name(finding.trace)}, {"text", finding.text}});
  return {{"a", side(*comparison.a)},
          {"b", side(*comparison.b)},
          {"sector_size_bytes", comparison.tables_a.sector_size_bytes},
          {"same", comparison.same()},
          {"patterns", std::move(patterns)},
          {"tools", comparison.tools},
          {"same_slots", comparison.same_slots},
          {"fields", std::move(fields)},
          {"slots", later()}};
}

Items slots_of(const Comparison& comparison)
{
  return [&comparison](const NextItem& next) {
    const std::vector<NamedField> fields = fields_of_entries(comparison);
    for (const SlotDifference& slot : comparison.slots)
      append_slot(next(), comparison, slot, fields);
  };
}

void write_json(const Comparison& comparison, const std::function<void(std::string_view)>& write)
{
  write_json(json_of(comparison), {{"slots", slots_of(comparison)}}, write);
}

}  // namespace gptgrow
