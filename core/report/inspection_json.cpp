// SPDX-License-Identifier: BSD-3-Clause
#include "core/report/inspection.h"
#include "core/report/json.h"

#include <algorithm>
#include <cctype>

namespace gptgrow {

namespace {

Json table_json(const FoundTable& table)
{
  const Header& header = table.header;
  Json problems = Json::array();
  for (const Problem& problem : table.problems)
    problems.push_back({{"field", problem.field}, {"found", problem.found}, {"expected", problem.expected}});
  return {{"lba", table.at.value},
          {"valid", table.valid()},
          {"problems", std::move(problems)},
          {"revision", hex(header.revision())},
          {"header_size_bytes", header.header_size_bytes()},
          {"header_crc32", hex(header.header_crc32())},
          {"my_lba", header.my_lba().value},
          {"alternate_lba", header.alternate_lba().value},
          {"first_usable_lba", header.first_usable_lba().value},
          {"last_usable_lba", header.last_usable_lba().value},
          {"disk_guid", guid_text(header.disk_guid())},
          {"partition_entry_lba", header.partition_entry_lba().value},
          {"entry_count", header.entry_count()},
          {"entry_size_bytes", header.entry_size_bytes()},
          {"array_crc32", hex(header.array_crc32())}};
}

Json mbr_json(std::span<const std::byte> mbr)
{
  Json records = Json::array();
  for (const MbrRecord& record : mbr_records(mbr))
    records.push_back({{"boot_indicator", hex(record.boot_indicator)},
                       {"os_type", hex(record.os_type)},
                       {"first_lba", record.starting_lba},
                       {"sectors", record.size_in_lba}});
  return {{"disk_signature", hex(get_field<std::uint32_t>(mbr, 440))},
          {"signature", hex(get_field<std::uint16_t>(mbr, 510))},
          {"records", std::move(records)}};
}

/// "primary_header"
std::string kind_name(Role role)
{
  if (!is_table(role))
    return role == Role::content ? "partition" : "free";
  std::string name = name_of(role);
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return c == ' ' ? '_' : std::tolower(c); });
  return name;
}

}  // namespace

void write_json(const Inspection& inspection, const std::function<void(std::string_view)>& write)
{
  Json junk = Json::array();
  for (std::size_t i = 0; i < inspection.slots.size(); ++i)
    if (inspection.slots[i] == SlotState::junk)
      junk.push_back(i + 1);
  const Items partitions = [&](const NextItem& next) {
    for (const Entry& entry : inspection.partitions)
      append_entry(next(), entry, inspection.tables.sector_size_bytes, JsonLayout::item);
  };
  const Items segments = [&](const NextItem& next) {
    for (const Segment& segment : inspection.segments) {
      JsonObject object(next(), JsonLayout::item);
      object.add("kind", kind_name(segment.role))
          .add("first_lba", segment.first_lba.value)
          .add("last_lba", segment.last_lba.value);
      if (segment.role == Role::content)
        object.add("slot", segment.slot);
    }
  };
  Json json{{"disk", inspection.path},
            {"size_bytes", inspection.size_bytes},
            {"sector_size_bytes", inspection.tables.sector_size_bytes},
            {"last_lba", inspection.tables.last_lba.value},
            {"mbr", mbr_json(inspection.mbr)},
            {"primary", table_json(inspection.tables.primary)},
            {"backup", inspection.tables.backup ? table_json(*inspection.tables.backup) : Json()},
            {"table",
             inspection.table ? *inspection.table == TableChoice::primary ? Json("primary") : Json("backup") : Json()},
            {"slot_count", inspection.slots.size()},
            {"empty_slots", inspection.empty_slots},
            {"junk_slots", std::move(junk)},
            {"partitions", later()},
            {"map", later()},
            {"layout", Json()},
            {"warnings", inspection.warnings}};
  if (inspection.layout)
    json["layout"] = {
        {"name", inspection.layout->name}, {"slots", inspection.layout->slots}, {"faults", inspection.layout->faults}};
  write_json(std::move(json), {{"partitions", partitions}, {"map", segments}}, write);
}

}  // namespace gptgrow
