// SPDX-License-Identifier: BSD-3-Clause
#include "core/compare/compare.h"

#include "core/compare/slot_matching.h"
#include "core/compare/tool_traces.h"
#include "core/disk/disk.h"
#include "core/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <set>

namespace gptgrow {

namespace {

/// Throws Error when neither is valid.
void check_usable(const Source& image, const FoundTables& tables)
{
  if (tables.primary.valid() || (tables.backup && tables.backup->valid()))
    return;
  (void)choose_table(image, tables, TableChoice::primary);  // throws: it says what is wrong
  refuse("{}: no valid GPT", image.name());
}

const FoundTable& table_of(const FoundTables& tables)
{
  return tables.primary.valid() ? tables.primary : *tables.backup;
}

/// What MBR and headers should be.
struct Expected {
  std::vector<std::byte> mbr, primary_header, backup_header;
};

/// A as a disk of B's size, if it fits.
std::optional<Expected> expected_on(const Source& a, const FoundTables& tables, std::uint64_t size_bytes)
{
  const Reading reading{.sector_size_bytes = tables.sector_size_bytes,
                        .table = tables.primary.valid() ? TableChoice::primary : TableChoice::backup,
                        .policy = {.truncated = Truncated::allow}};
  try {
    const auto table = std::make_shared<const Table>(choose_table(a, tables, reading.table));
    const Disk disk(borrowed(a), table, {size_bytes}, reading);
    const auto bytes = [](const Header& header) {
      return std::vector<std::byte>(header.sector().begin(), header.sector().end());
    };
    return Expected{read_bytes(disk, {0, tables.sector_size_bytes}), bytes(disk.layout().primary),
                    bytes(disk.layout().backup)};
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::vector<std::byte> read_sector(const Source& image, std::uint32_t size_bytes)
{
  return read_bytes(image, {0, size_bytes});
}

bool is_mirrored(const FoundTables& tables)
{
  return tables.primary.valid() && tables.backup && tables.backup->valid() && mirrors(tables.primary, *tables.backup);
}

/// Whether each side's backup mirrors its primary.
struct Mirrored {
  bool a = false, b = false;
};

/// Of several arrays of up to 16 MiB each, keeps the one that counts.
void drop_other_arrays(FoundTables& tables)
{
  tables.rival.reset();
  tables.strays.clear();
  if (!tables.primary.valid())
    tables.primary.array = {};
  else if (tables.backup)
    tables.backup->array = {};
}

/// Compares MBR and headers with what they should be on B, or else with what they are on A.
class FieldComparer {
public:
  FieldComparer(Comparison& result, const std::optional<Expected>& expected, const Mirrored& mirrored)
      : result_(result), expected_(expected), mirrored_(mirrored), sector_size_bytes_(result.tables_b.sector_size_bytes)
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

  void add_state(Part part, std::string a, std::string b)
  {
    result_.fields.push_back({part, FieldId::other, true, "state", std::move(a), std::move(b)});
  }

  /// `own` is what A has in that place; on disks of one size, what A itself has is no difference.
  void compare_fields(Part part, const std::vector<NamedField>& fields, Bytes expected, Bytes own, Bytes b,
                      const std::set<FieldId>& ignored)
  {
    const bool same_size = result_.a->size_bytes() == result_.b->size_bytes();
    for (const NamedField& field : fields) {
      const auto bytes_of = [&](Bytes bytes) { return bytes.subspan(field.offset, field.size); };
      if (ignored.contains(field.id) || std::ranges::equal(bytes_of(expected), bytes_of(b)) ||
          (same_size && std::ranges::equal(bytes_of(own), bytes_of(b))))
        continue;
      result_.fields.push_back(
          {part, field.id, false, field.name, in_words(field, bytes_of(expected)), in_words(field, bytes_of(b))});
    }
  }

  void mbr()
  {
    const std::vector<std::byte> own = read_sector(*result_.a, sector_size_bytes_);
    const std::vector<std::byte> b = read_sector(*result_.b, sector_size_bytes_);
    const Bytes expected = expected_ ? Bytes(expected_->mbr) : Bytes(own);
    std::set<FieldId> ignored;
    if (!expected_)
      ignored.insert(FieldId::size_in_lba);
    compare_fields(Part::mbr, mbr_fields(sector_size_bytes_), expected, own, b, ignored);
  }

  /// What follows from other fields, or moves with the end of the disk while it cannot be told where to.
  std::set<FieldId> ignored_in_headers() const
  {
    std::set<FieldId> ignored{FieldId::header_crc32, FieldId::array_crc32};
    if (!expected_)
      ignored.insert({FieldId::alternate_lba, FieldId::last_usable_lba, FieldId::my_lba});
    return ignored;
  }

  void primary()
  {
    const FoundTable &a = result_.tables_a.primary, &b = result_.tables_b.primary;
    if (!b.valid()) {
      if (a.valid() || !same_problem(a, b))
        add_state(Part::primary_header, a.valid() ? "valid" : problem(a), problem(b));
      return;
    }
    if (!a.valid() && !expected_) {
      add_state(Part::primary_header, problem(a), "valid");
      return;
    }
    const Bytes expected = expected_ ? Bytes(expected_->primary_header) : a.header.sector();
    compare_fields(Part::primary_header, header_fields(sector_size_bytes_), expected, a.header.sector(),
                   b.header.sector(), ignored_in_headers());
  }

  void backup()
  {
    const FoundTables &a = result_.tables_a, &b = result_.tables_b;
    const bool a_has = a.backup && a.backup->valid();
    const bool b_has = b.backup && b.backup->valid();
    const bool a_mirrors = mirrored_.a, b_mirrors = mirrored_.b;
    if (!b_has) {
      // An image that has no backup either tells nothing about one.
      if (a_has)
        add_state(Part::backup_header, "valid", b.backup ? problem(*b.backup) : "none");
      return;
    }
    if (b.primary.valid() && !b_mirrors && (a_mirrors || !a_has)) {
      add_state(Part::backup_header, "mirrors the primary", "differs from the primary");
      return;
    }
    if (!a_has || !b_mirrors)
      return;
    const Bytes own = a.backup->header.sector();
    auto ignored = ignored_in_headers();
    // A mirror has these in common with its primary.
    ignored.insert({FieldId::my_lba, FieldId::alternate_lba, FieldId::first_usable_lba, FieldId::last_usable_lba,
                    FieldId::disk_guid, FieldId::entry_count, FieldId::entry_size});
    if (!expected_ || !a_mirrors)
      ignored.insert(FieldId::partition_entry_lba);
    compare_fields(Part::backup_header, header_fields(sector_size_bytes_),
                   expected_ && a_mirrors ? Bytes(expected_->backup_header) : own, own, b.backup->header.sector(),
                   ignored);
  }

  static std::string problem(const FoundTable& table)
  {
    const Problem& first = table.problems.front();
    return fmt::format("damaged: {} {}, expected {}", first.field, first.found, first.expected);
  }

  static bool same_problem(const FoundTable& a, const FoundTable& b) { return problem(a) == problem(b); }

  Comparison& result_;
  const std::optional<Expected>& expected_;
  const Mirrored& mirrored_;
  std::uint32_t sector_size_bytes_;
};

}  // namespace

const FoundTable& Comparison::table_a() const
{
  return table_of(tables_a);
}

const FoundTable& Comparison::table_b() const
{
  return table_of(tables_b);
}

std::span<const std::byte> slot_bytes(const FoundTable& table, std::uint32_t slot)
{
  const std::size_t size = table.header.entry_size_bytes();
  return std::span(table.array).subspan((slot - 1) * size, size);
}

std::vector<std::uint32_t> used_slots(const FoundTable& table)
{
  std::vector<std::uint32_t> slots;
  for (std::uint32_t slot = 1; slot <= table.header.entry_count(); ++slot)
    if (is_used(slot_bytes(table, slot)))
      slots.push_back(slot);
  return slots;
}

Lba first_lba_in(const FoundTable& table, std::uint32_t slot)
{
  return Lba{get_field<std::uint64_t>(slot_bytes(table, slot), kFirstLbaOffset)};
}

Entry entry_in(const FoundTable& table, std::uint32_t slot)
{
  return entry_of(slot_bytes(table, slot), slot);
}

bool is_extended(const Comparison& comparison, const SlotDifference& slot)
{
  if (slot.kind != SlotDifference::Kind::changed || !std::has_single_bit(slot.changed_fields))
    return false;
  const auto last_lba_in = [](const FoundTable& table, std::uint32_t number) {
    return Lba{get_field<std::uint64_t>(slot_bytes(table, number), kLastLbaOffset)};
  };
  const Header& header = comparison.table_b().header;
  const Lba a = last_lba_in(comparison.table_a(), slot.slot_a), b = last_lba_in(comparison.table_b(), slot.slot_b);
  return a < b && b == last_extended_lba(header.last_usable_lba(), header.sector_size_bytes());
}

std::optional<std::uint32_t> only_extended(const Comparison& comparison)
{
  if (!comparison.fields.empty() || comparison.slots.size() != 1 || !is_extended(comparison, comparison.slots[0]))
    return std::nullopt;
  return comparison.slots[0].slot_b;
}

Comparison compare(std::shared_ptr<const Source> a, std::shared_ptr<const Source> b,
                   std::optional<std::uint32_t> sector_size_bytes)
{
  FoundTables tables_a = find_tables(*a, sector_size_bytes);
  check_usable(*a, tables_a);
  const std::uint32_t size_a = tables_a.sector_size_bytes;
  const std::optional<Expected> expected = expected_on(*a, tables_a, b->size_bytes());
  Mirrored mirrored{.a = is_mirrored(tables_a)};
  drop_other_arrays(tables_a);
  FoundTables tables_b = find_tables(*b, sector_size_bytes);
  check_usable(*b, tables_b);
  mirrored.b = is_mirrored(tables_b);
  drop_other_arrays(tables_b);
  if (tables_b.sector_size_bytes != size_a)
    refuse("{}: table for {}-byte sectors, expected {} as in {}: LBAs cannot be compared", b->name(),
           tables_b.sector_size_bytes, size_a, a->name());
  Comparison result{.a = std::move(a),
                    .b = std::move(b),
                    .tables_a = std::move(tables_a),
                    .tables_b = std::move(tables_b),
                    .same_slots = {},
                    .slots = {},
                    .fields = {},
                    .findings = {},
                    .tools = {}};
  MatchedSlots matched = match_slots(result.table_a(), result.table_b());
  result.same_slots = std::move(matched.same);
  result.slots = std::move(matched.differences);
  FieldComparer(result, expected, mirrored).compare();
  result.findings = findings_of(result);
  if (!result.same())
    result.tools = tools_behind(result, mirrored.b);
  return result;
}

}  // namespace gptgrow
