// SPDX-License-Identifier: BSD-3-Clause
#include "core/report/verification_report.h"

#include "core/compare/named_fields.h"
#include "core/disk/size.h"
#include "core/report/changes_report.h"
#include "core/report/comparison_report.h"
#include "core/report/json.h"
#include "core/text.h"

namespace gptgrow {

namespace {

std::string words(const Piece& piece)
{
  if (is_table(piece.role))
    return "table";
  return piece.is_free_space() ? "free space" : piece.is_data() ? "data" : "hole";
}

std::string place(const Difference& difference, std::uint32_t sector_size_bytes)
{
  std::string text = fmt::format("byte {} (LBA {}), ", difference.offset, difference.offset / sector_size_bytes);
  if (difference.entry)
    text += fmt::format("in the partition of slot {}{}, ", difference.entry->slot,
                        difference.entry->name.empty() ? "" : ", \"" + printable(difference.entry->name) + '"');
  else if (!difference.piece.is_free_space())
    text += "in no partition, ";
  return text + words(difference.piece);
}

std::string data_line(const Verification& verification, const Disk& disk)
{
  if (const auto& difference = verification.difference; difference && difference->size != 1)
    return fmt::format("data: {} bytes differ, in whole or in part, at {}: their checksum is not that of what was read",
                       difference->size, place(*difference, disk.table().sector_size_bytes));
  if (const auto& difference = verification.difference)
    return fmt::format("data: the first difference is at {}: 0x{:02x}, expected 0x{:02x}",
                       place(*difference, disk.table().sector_size_bytes), std::to_integer<unsigned>(difference->found),
                       std::to_integer<unsigned>(difference->expected));
  if (!verification.data_compared)
    return "data: not compared";
  if (verification.stopped)
    return fmt::format("data: stopped after {}, no difference so far", short_size(verification.compared_bytes));
  return fmt::format("data: same, {} of data and holes compared{}", short_size(verification.compared_bytes),
                     verification.past_cache ? "" : ", through the page cache: it cannot be read past that");
}

std::string free_space_line(const Verification& verification, const Disk& disk, const VerifyOptions& options)
{
  if (!verification.data_compared || options.free_space || disk.layout().free_space.size == 0)
    return "";
  return fmt::format("free space, {} bytes, was not compared: the image has nothing there\n",
                     disk.layout().free_space.size);
}

std::string table_line(const Verification& verification)
{
  const std::string id = verification.cut_off_id.empty() ? "" : fmt::format(" ({})", verification.cut_off_id);
  if (verification.cut_off == CutOff::in_data)
    return fmt::format("table: none: a restore{} is unfinished; the same restore completes it", id);
  if (verification.cut_off == CutOff::in_table)
    return fmt::format(
        "table: not whole: a restore{} was cut off while it wrote the table; the same restore completes it", id);
  return verification.is_table_same ? "table: same" : "table: differs";
}

const char* word(const std::optional<CutOff>& cut_off)
{
  return *cut_off == CutOff::in_data ? "data" : "table";
}

}  // namespace

std::string to_text(const Verification& verification, const Disk& disk, const Source& target,
                    const VerifyOptions& options, const TextStyle& style)
{
  const auto verdict = [&](bool same, const std::string& text) {
    return emphasize(style, same ? Emphasis::good : Emphasis::bad, text) + '\n';
  };
  std::string out = fmt::format("{} on {}, {}\n", escaped(disk.image().name()), escaped(target.name()),
                                format_size(disk.size_bytes()));
  out += verdict(verification.is_table_same, table_line(verification));
  if (verification.comparison && !verification.comparison->same())
    out += '\n' + to_text(*verification.comparison, style);
  if (!verification.is_table_same && !verification.cut_off)
    out += fmt::format("\nThe table's bytes (- found, + expected)\n{}\n",
                       to_text([&](const auto& use) { for_each_change(target, disk, use); }, style));
  out += verdict(!verification.difference && !verification.stopped, data_line(verification, disk));
  return out + free_space_line(verification, disk, options);
}

void write_json(Verification verification, const Disk& disk, const Source& target, const VerifyOptions& options,
                const std::function<void(std::string_view)>& write)
{
  const std::uint32_t sector_size_bytes = disk.table().sector_size_bytes;
  Json difference;
  if (const auto& found = verification.difference)
    difference = {{"offset_bytes", found->offset},
                  {"lba", found->offset / sector_size_bytes},
                  {"region", words(found->piece)},
                  {"slot", found->entry ? Json(found->entry->slot) : Json()},
                  {"name", found->entry ? Json(to_utf8(found->entry->name)) : Json()},
                  {"length_bytes", found->size},
                  {"found_hex", found->size == 1 ? Json(to_hex(std::span(&found->found, 1))) : Json()},
                  {"expected_hex", found->size == 1 ? Json(to_hex(std::span(&found->expected, 1))) : Json()}};
  Json data{{"same", !verification.difference && !verification.stopped},
            {"complete", !verification.stopped},
            {"compared_bytes", verification.compared_bytes},
            {"past_page_cache", verification.past_cache},
            {"free_space_bytes", disk.layout().free_space.size},
            {"free_space_compared", options.free_space},
            {"first_difference", difference}};
  Json document{{"image", disk.image().name()},
                {"target", target.name()},
                {"size_bytes", disk.size_bytes()},
                {"sector_size_bytes", sector_size_bytes},
                {"same", verification.same() && !verification.data_compared ? Json() : Json(verification.same())},
                {"table",
                 {{"same", verification.is_table_same},
                  {"cut_off_restore", verification.cut_off ? Json(word(verification.cut_off)) : Json()},
                  {"comparison", verification.comparison ? json_of(*verification.comparison) : Json()},
                  {"changes", later()}}},
                {"data", verification.data_compared ? data : Json()}};
  std::vector<std::pair<std::string, Items>> lists;
  if (verification.comparison)
    lists.emplace_back("slots", slots_of(*verification.comparison));
  lists.emplace_back("changes", [&](const NextItem& next) {
    verification.comparison.reset();
    if (!verification.is_table_same)
      for_each_change(target, disk, [&](const Change& change) { append_change(next(), change, JsonLayout::line); });
  });
  write_json(std::move(document), lists, write);
}

}  // namespace gptgrow
