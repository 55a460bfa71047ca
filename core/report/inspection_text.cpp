// SPDX-License-Identifier: BSD-3-Clause
#include "core/report/inspection.h"
#include "core/report/type_name.h"
#include "core/text.h"

#include "core/disk/size.h"

#include <fmt/format.h>

#include <algorithm>

namespace gptgrow {

namespace {

constexpr std::size_t kSlotsPerLine = 32;
constexpr std::size_t kSlotsPerGroup = 8;

/// The number of bytes from `first` to `last`, which may come from a hostile table.
std::string size_text(Lba first, Lba last, std::uint32_t sector_size_bytes)
{
  std::uint64_t bytes = 0;
  if (first > last || last.value == UINT64_MAX ||
      __builtin_mul_overflow(last.value - first.value + 1, sector_size_bytes, &bytes))
    return "?";
  return short_size(bytes);
}

class Writer {
public:
  Writer(const Inspection& inspection, const TextStyle& style) : inspection_(inspection), style_(style) {}

  std::string write()
  {
    line("{}: {}, {}-byte sectors, last LBA {}", escaped(inspection_.path), format_size(inspection_.size_bytes),
         inspection_.tables.sector_size_bytes, inspection_.tables.last_lba.value);
    mbr();
    headers();
    if (inspection_.table) {
      slots();
      partitions();
      map();
    }
    layout();
    warnings();
    return std::move(out_);
  }

private:
  template <typename... Args>
  void line(fmt::format_string<Args...> format, Args&&... args)
  {
    out_ += fmt::format(format, std::forward<Args>(args)...);
    out_ += '\n';
  }

  void title(std::string_view text) { out_ += '\n' + emphasize(style_, Emphasis::title, text) + '\n'; }

  void mbr()
  {
    title("MBR");
    const auto mbr = std::span(inspection_.mbr);
    const bool has_code = !is_zero(mbr.first(440));
    line("  boot code {}, disk signature 0x{:08x}{}", has_code ? "present" : "none", get_field<std::uint32_t>(mbr, 440),
         get_field<std::uint16_t>(mbr, 510) == 0xaa55 ? "" : ", no 55AAh at its end");
    const auto records = mbr_records(mbr);
    for (std::size_t i = 0; i < records.size(); ++i)
      if (records[i] != MbrRecord{})
        line("  record {}: type 0x{:02x}{}, from LBA {}, {} sectors{}", i + 1, records[i].os_type,
             records[i].os_type == kGptProtective ? " (protective)" : "", records[i].starting_lba,
             records[i].size_in_lba, records[i].boot_indicator == 0x80 ? ", active" : "");
  }

  void headers()
  {
    const FoundTable& primary = inspection_.tables.primary;
    const std::optional<FoundTable>& backup = inspection_.tables.backup;
    const auto row = [&](std::string_view name, const std::string& a, const std::string& b) {
      line("  {:<26}{:>20}{:>20}", name, a, b);
    };
    title("GPT");
    row("", "primary", "backup");
    const auto state = [&](const FoundTable& table) {
      const std::string text = fmt::format("{:>20}", table.valid() ? "valid" : "damaged");
      return emphasize(style_, table.valid() ? Emphasis::good : Emphasis::bad, text);
    };
    line("  {:<26}{}{}", "state", state(primary),
         backup ? state(*backup) : emphasize(style_, Emphasis::bad, fmt::format("{:>20}", "none")));
    const auto field = [&](std::string_view name, auto get) {
      row(name, primary.header.has_signature() ? get(primary) : "-", backup ? get(*backup) : "-");
    };
    const auto number = [&](std::string_view name, auto get) {
      field(name, [&](const FoundTable& table) { return fmt::to_string(get(table.header)); });
    };
    const auto code = [&](std::string_view name, auto get) {
      field(name, [&](const FoundTable& table) { return fmt::format("0x{:08x}", get(table.header)); });
    };
    field("found at LBA", [](const FoundTable& table) { return fmt::to_string(table.at.value); });
    code("Revision", [](const Header& h) { return h.revision(); });
    number("HeaderSize", [](const Header& h) { return h.header_size_bytes(); });
    code("HeaderCRC32", [](const Header& h) { return h.header_crc32(); });
    number("MyLBA", [](const Header& h) { return h.my_lba().value; });
    number("AlternateLBA", [](const Header& h) { return h.alternate_lba().value; });
    number("FirstUsableLBA", [](const Header& h) { return h.first_usable_lba().value; });
    number("LastUsableLBA", [](const Header& h) { return h.last_usable_lba().value; });
    number("PartitionEntryLBA", [](const Header& h) { return h.partition_entry_lba().value; });
    number("NumberOfPartitionEntries", [](const Header& h) { return h.entry_count(); });
    number("SizeOfPartitionEntry", [](const Header& h) { return h.entry_size_bytes(); });
    code("PartitionEntryArrayCRC32", [](const Header& h) { return h.array_crc32(); });
    guids(primary, backup);
    problems("primary", primary);
    if (backup)
      problems("backup", *backup);
  }

  void guids(const FoundTable& primary, const std::optional<FoundTable>& backup)
  {
    const bool both = backup && primary.header.has_signature();
    if (both && primary.header.disk_guid() == backup->header.disk_guid()) {
      line("  {:<26}{:>40}", "DiskGUID", guid_text(primary.header.disk_guid()));
      return;
    }
    if (primary.header.has_signature())
      line("  {:<26}{:>40}", "DiskGUID, primary", guid_text(primary.header.disk_guid()));
    if (backup)
      line("  {:<26}{:>40}", "DiskGUID, backup", guid_text(backup->header.disk_guid()));
  }

  void problems(std::string_view name, const FoundTable& table)
  {
    for (const Problem& problem : table.problems)
      line("  {}: {} {}, expected {}", emphasize(style_, Emphasis::bad, name), problem.field, problem.found,
           problem.expected);
  }

  void slots()
  {
    const auto& slots = inspection_.slots;
    title(fmt::format("Slots of the {} table: # used, _ gap, . empty, ? empty with junk",
                      *inspection_.table == TableChoice::primary ? "primary" : "backup"));
    std::size_t last_shown = 0;
    for (std::size_t i = 0; i < slots.size(); ++i)
      if (slots[i] != SlotState::empty)
        last_shown = i;
    for (std::size_t start = 0; start <= last_shown && start < slots.size(); start += kSlotsPerLine)
      slot_line(start);
    const std::size_t next = (last_shown / kSlotsPerLine + 1) * kSlotsPerLine;
    if (next < slots.size())
      line("  {:>6}  all empty until {}", next + 1, slots.size());
    if (!inspection_.empty_slots.empty())
      out_ += wrap(style_, "  ", "gap before the last used slot: " + join_runs(inspection_.empty_slots));
  }

  void slot_line(std::size_t start)
  {
    const auto& slots = inspection_.slots;
    const auto& gaps = inspection_.empty_slots;
    std::string text;
    for (std::size_t i = start; i < std::min(start + kSlotsPerLine, slots.size()); ++i) {
      if (i != start && i % kSlotsPerGroup == 0)
        text += ' ';
      const bool is_gap = std::ranges::binary_search(gaps, i + 1);
      switch (slots[i]) {
      case SlotState::used: text += emphasize(style_, Emphasis::good, "#"); break;
      case SlotState::junk: text += emphasize(style_, Emphasis::warning, "?"); break;
      case SlotState::empty: text += is_gap ? emphasize(style_, Emphasis::bad, "_") : "."; break;
      }
    }
    line("  {:>6}  {}", start + 1, text);
  }

  void partitions()
  {
    title("Partitions");
    if (inspection_.partitions.empty()) {
      line("  none");
      return;
    }
    line("  {:>6} {:>14} {:>14} {:>6}  {}", "slot", "first LBA", "last LBA", "size", "type, name, GUID");
    for (const Entry& entry : inspection_.partitions) {
      line("  {:>6} {:>14} {:>14} {:>6}  {}{}", entry.slot, entry.first_lba.value, entry.last_lba.value,
           size_text(entry.first_lba, entry.last_lba, inspection_.tables.sector_size_bytes), type_text(entry.type_guid),
           entry.name.empty() ? "" : ", \"" + printable(entry.name) + '"');
      line("  {:>37}  {}{}", "", guid_text(entry.partition_guid),
           entry.attributes == 0 ? "" : fmt::format(", attributes 0x{:x}", entry.attributes));
    }
  }

  static std::string describe(const Segment& segment)
  {
    if (is_table(segment.role))
      return name_of(segment.role);
    return segment.role == Role::content ? fmt::format("slot {}", segment.slot) : "free";
  }

  void map()
  {
    title("Disk, in physical order");
    draw();
    for (const Segment& segment : inspection_.segments) {
      const bool beyond = segment.last_lba > inspection_.tables.last_lba;
      const std::string what = describe(segment) + (beyond ? ", reaches past the end of the disk" : "");
      const Emphasis emphasis = beyond ? Emphasis::bad : Emphasis::faint;
      line("  {:>14} {:>14} {:>6}  {}", segment.first_lba.value, segment.last_lba.value,
           size_text(segment.first_lba, segment.last_lba, inspection_.tables.sector_size_bytes),
           beyond || segment.role == Role::free_space ? emphasize(style_, emphasis, what) : what);
    }
  }

  /// One cell for each partition and each larger free area, wide enough for its label, the rest of the line shared in
  /// proportion to size.
  void draw()
  {
    struct Cell {
      std::string label;
      std::uint64_t sectors;
      std::size_t width;
    };
    std::vector<Cell> cells;
    const std::uint64_t total = inspection_.tables.last_lba.value + 1;
    for (const Segment& segment : inspection_.segments) {
      if (segment.first_lba > segment.last_lba || segment.last_lba > inspection_.tables.last_lba)
        return;
      const std::uint64_t sectors = segment.last_lba.value - segment.first_lba.value + 1;
      if (segment.role == Role::content)
        cells.push_back({fmt::to_string(segment.slot), sectors, 0});
      else if (segment.role == Role::free_space && sectors > total / style_.width)
        cells.push_back({"free", sectors, 0});
    }
    std::size_t least = 3;  // the indent and the last border
    std::uint64_t shown = 0;
    for (Cell& cell : cells) {
      cell.width = cell.label.size() + 2;
      least += cell.width + 1;
      shown += cell.sectors;
    }
    if (cells.empty() || least > style_.width)
      return;
    const double per_sector = static_cast<double>(style_.width - least) / static_cast<double>(shown);
    std::string drawn = "  |";
    for (const Cell& cell : cells) {
      const std::size_t width = cell.width + static_cast<std::size_t>(static_cast<double>(cell.sectors) * per_sector);
      drawn += fmt::format("{:^{}}|", cell.label, width);
    }
    line("{}", drawn);
  }

  void layout()
  {
    if (!inspection_.layout)
      return;
    title("Layout");
    out_ +=
        wrap(style_, "  ",
             fmt::format("{}, which depends on slot numbers: {}", inspection_.layout->name, inspection_.layout->slots));
    for (const std::string& fault : inspection_.layout->faults)
      line("  {}: {}", emphasize(style_, Emphasis::bad, "out of place"), fault);
  }

  void warnings()
  {
    if (inspection_.warnings.empty())
      return;
    title("Warnings");
    for (const std::string& warning : inspection_.warnings)
      out_ += wrap(style_, "  - ", warning);
  }

  const Inspection& inspection_;
  const TextStyle& style_;
  std::string out_;
};

}  // namespace

std::string to_text(const Inspection& inspection, const TextStyle& style)
{
  return Writer(inspection, style).write();
}

}  // namespace gptgrow
