// SPDX-License-Identifier: BSD-3-Clause
#include "core/report/inspection.h"

#include "core/gpt/mbr.h"
#include "core/gpt/table_warnings.h"
#include "core/source/looks_like.h"
#include "core/text.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>

namespace gptgrow {

namespace {

std::vector<SlotState> slot_states(const FoundTable& table)
{
  const std::size_t size = table.header.entry_size_bytes();
  std::vector<SlotState> states;
  for (std::size_t offset = 0; offset + size <= table.array.size(); offset += size) {
    const auto slot = std::span(table.array).subspan(offset, size);
    if (!get_guid(slot, 0).is_nil())
      states.push_back(SlotState::used);
    else
      states.push_back(is_zero(slot) ? SlotState::empty : SlotState::junk);
  }
  return states;
}

std::vector<std::uint32_t> empty_slots(const std::vector<SlotState>& slots)
{
  std::vector<std::uint32_t> pending, result;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (slots[i] != SlotState::used) {
      pending.push_back(static_cast<std::uint32_t>(i + 1));
      continue;
    }
    result.insert(result.end(), pending.begin(), pending.end());
    pending.clear();
  }
  return result;
}

void add_table(std::vector<Segment>& segments, const FoundTable& table, bool primary)
{
  if (!table.valid())
    return;
  const Lba array = table.header.partition_entry_lba();
  segments.push_back({primary ? Role::primary_header : Role::backup_header, table.at, table.at, 0});
  segments.push_back({primary ? Role::primary_array : Role::backup_array, array,
                      Lba{array.value + table.header.array_sectors() - 1}, 0});
}

std::vector<Segment> segments_of(const Inspection& inspection)
{
  std::vector<Segment> segments{{Role::mbr, Lba{0}, Lba{0}, 0}};
  segments.reserve(inspection.partitions.size() + 5);
  add_table(segments, inspection.tables.primary, true);
  if (inspection.tables.backup)
    add_table(segments, *inspection.tables.backup, false);
  for (const Entry& entry : inspection.partitions)
    segments.push_back({Role::content, entry.first_lba, entry.last_lba, entry.slot});
  std::ranges::stable_sort(segments, {}, &Segment::first_lba);

  std::vector<Segment> with_free;
  with_free.reserve(2 * segments.size() + 1);
  Lba next{0};  // the first LBA behind all segments so far
  const auto free_until = [&](Lba end) {
    if (next < end)
      with_free.push_back({Role::free_space, next, Lba{end.value - 1}, 0});
  };
  for (const Segment& segment : segments) {
    free_until(std::min(segment.first_lba, Lba{inspection.tables.last_lba.value + 1}));
    with_free.push_back(segment);
    // A hostile EndingLBA can be the largest number there is.
    next = std::max(next, Lba{std::min(segment.last_lba, inspection.tables.last_lba).value + 1});
  }
  free_until(Lba{inspection.tables.last_lba.value + 1});
  return with_free;
}

void add(std::vector<std::string>& warnings, std::vector<std::string> more)
{
  std::ranges::move(more, std::back_inserter(warnings));
}

/// The table that counts, with its warnings. Nothing is rebuilt: of a backup, only what is said about it holds.
Table table_shown(const Source& image, const FoundTables& tables, TableChoice choice)
{
  if (choice == TableChoice::primary)
    return choose_table(image, tables, choice);
  Table table{.sector_size_bytes = tables.sector_size_bytes,
              .primary = tables.backup->header,
              .array = tables.backup->array,
              .array_source_lba = tables.backup->header.partition_entry_lba(),
              .backup = std::nullopt,
              .warnings = {"the primary table is damaged, the backup is shown"}};
  if (tables.rival)
    table.warnings.push_back("another backup is as valid and differs, and nothing tells which one is this disk's");
  add(table.warnings, stray_warnings(tables, &table));
  add(table.warnings, mbr_warnings(image));
  check_entries(table, table.warnings);
  return table;
}

/// A file that ends before the first LBA behind its MBR does: all its fields are zeros, and its size is the problem.
FoundTables no_tables(const Source& image, std::uint32_t sector_size_bytes)
{
  return {.sector_size_bytes = sector_size_bytes,
          .sector_size_was_given = false,
          .last_lba = Lba{0},
          .primary = {kPrimaryLba,
                      Header(std::vector<std::byte>(sector_size_bytes)),
                      {},
                      {{"size", fmt::format("{} bytes", image.size_bytes()),
                        fmt::format("at least {}, an MBR and a header", 2 * sector_size_bytes)}}},
          .backup = std::nullopt,
          .rival = std::nullopt,
          .strays = {}};
}

/// All that follows from the tables and the MBR.
void complete(Inspection& inspection)
{
  if (inspection.table) {
    const FoundTable& table = inspection.chosen();
    inspection.slots = slot_states(table);
    inspection.empty_slots = empty_slots(inspection.slots);
    inspection.partitions = used_entries(table.array, table.header.entry_size_bytes());
    inspection.segments = segments_of(inspection);
    inspection.layout = known_layout(inspection.partitions);
  }
  std::vector<std::uint32_t> invalid_names;
  for (const Entry& entry : inspection.partitions)
    if (!is_valid_utf16(entry.name))
      invalid_names.push_back(entry.slot);
  if (!invalid_names.empty())
    inspection.warnings.push_back(fmt::format("names that are not valid UTF-16: slots {}", join_runs(invalid_names)));
}

}  // namespace

Inspection inspect(const Source& image, std::optional<std::uint32_t> sector_size_bytes)
{
  const std::uint32_t least_sector_size_bytes = sector_size_bytes.value_or(kMbrSizeBytes);
  const bool is_too_short = image.size_bytes() < 2 * std::uint64_t{least_sector_size_bytes};
  Inspection inspection{.path = image.name(),
                        .size_bytes = image.size_bytes(),
                        .tables = is_too_short ? no_tables(image, least_sector_size_bytes)
                                               : find_tables(image, sector_size_bytes),
                        .table = std::nullopt,
                        .mbr = std::vector<std::byte>(kMbrSizeBytes),
                        .slots = {},
                        .empty_slots = {},
                        .partitions = {},
                        .segments = {},
                        .layout = std::nullopt,
                        .warnings = {}};
  image.read(0, std::span(inspection.mbr).first(std::min<std::size_t>(kMbrSizeBytes, image.size_bytes())));
  const FoundTables& tables = inspection.tables;
  if (tables.primary.valid())
    inspection.table = TableChoice::primary;
  else if (tables.backup && tables.backup->valid())
    inspection.table = TableChoice::backup;
  if (inspection.table) {
    const Table table = table_shown(image, tables, *inspection.table);
    inspection.warnings = table.warnings;
    add(inspection.warnings, missing_data(table, tables.last_lba));
    const std::uint32_t context = image.device_sector_size_bytes();
    if (auto warning = sector_size_warning(table, context != 0 ? context : sector_size_bytes.value_or(512)))
      inspection.warnings.push_back(std::move(*warning));
  }
  if (!tables.primary.valid())
    add(inspection.warnings, explain_damage(image, tables));
  if (!inspection.table)
    add(inspection.warnings, stray_warnings(tables, nullptr));
  if (!inspection.table && !tables.primary.header.has_signature())
    if (std::string known = looks_like(image); !known.empty())
      inspection.warnings.push_back(std::move(known));
  complete(inspection);
  return inspection;
}

Inspection inspect(const Disk& disk)
{
  const Layout& layout = disk.layout();
  const std::uint32_t sector_size_bytes = disk.table().sector_size_bytes;
  const Lba last_lba = layout.backup.my_lba();
  const EntryArray array({disk.array().begin(), disk.array().end()});
  FoundTables tables{.sector_size_bytes = sector_size_bytes,
                     .sector_size_was_given = false,
                     .last_lba = last_lba,
                     .primary = {kPrimaryLba, layout.primary, array, {}},
                     .backup = FoundTable{last_lba, layout.backup, array, {}},
                     .rival = std::nullopt,
                     .strays = {}};
  std::vector<std::string> warnings = choose_table(disk.image(), tables, TableChoice::primary).warnings;
  // What was said about the image's tables is mended on the disk that is served; the rest still holds.
  const std::vector<std::string> all = disk.warnings();
  warnings.insert(warnings.end(), all.begin() + static_cast<std::ptrdiff_t>(disk.table().warnings.size()), all.end());
  Inspection inspection{.path = disk.image().name(),
                        .size_bytes = disk.size_bytes(),
                        .tables = std::move(tables),
                        .table = TableChoice::primary,
                        .mbr = std::vector<std::byte>(kMbrSizeBytes),
                        .slots = {},
                        .empty_slots = {},
                        .partitions = {},
                        .segments = {},
                        .layout = std::nullopt,
                        .warnings = std::move(warnings)};
  disk.read(0, inspection.mbr);
  complete(inspection);
  return inspection;
}

}  // namespace gptgrow
