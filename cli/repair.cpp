// SPDX-License-Identifier: BSD-3-Clause
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/in_place.h"

#include "core/repair/undo.h"
#include "core/report/changes_report.h"
#include "core/report/repair_report.h"
#include "core/source/open_source.h"

#include <fmt/format.h>

#include <charconv>
#include <memory>
#include <optional>
#include <variant>

namespace gptgrow {

namespace {

struct FromImage {
  std::string image;
  std::vector<std::uint32_t> slots;  // that get the image's entry
  GrownSlots grown = GrownSlots::refuse;
};

struct Move {
  std::vector<SlotMove> moves;
};

struct Relocate {};

struct TakeBack {
  std::string undo_path;
};

using Mode = std::variant<FromImage, Move, Relocate, TakeBack>;

struct RepairCommand : InPlace {
  Mode mode;
  DiskOptions reading;  // only how to read the image
  bool json = false;
};

std::optional<std::uint32_t> parse_slot(std::string_view text)
{
  std::uint32_t slot = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), slot);
  return error == std::errc() && end == text.data() + text.size() && slot != 0 ? std::optional(slot) : std::nullopt;
}

std::vector<std::uint32_t> parse_slots(const std::vector<std::string>& lists)
{
  std::vector<std::uint32_t> slots;
  for (const std::string& text : split_list(lists)) {
    const auto slot = parse_slot(text);
    if (!slot)
      refuse("--slot: \"{}\", expected slot numbers from 1 on, with commas", text);
    slots.push_back(*slot);
  }
  return slots;
}

std::vector<SlotMove> parse_moves(const std::vector<std::string>& lists)
{
  std::vector<SlotMove> moves;
  for (const std::string& text : split_list(lists)) {
    const std::size_t colon = std::min(text.find(':'), text.size());
    const auto from = parse_slot(std::string_view(text).substr(0, colon));
    const auto to = parse_slot(std::string_view(text).substr(std::min(colon + 1, text.size())));
    if (!from || !to)
      refuse("--move: \"{}\", expected FROM:TO, two slot numbers from 1 on", text);
    moves.push_back({*from, *to});
  }
  return moves;
}

RepairPlan plan(const RepairCommand& options, const Source& disk)
{
  Reading reading = options.reading.reading;
  if (const auto* from = std::get_if<FromImage>(&options.mode))
    return plan_repair_from_image(disk, *open_source(from->image, reading.format), reading, from->slots, from->grown);
  // What a disk itself is too short for cannot be allowed: it keeps the end from being moved there.
  reading.policy.truncated = Truncated::allow;
  const auto* move = std::get_if<Move>(&options.mode);
  return plan_in_place(disk, reading, move ? move->moves : std::vector<SlotMove>());
}

void show(const RepairCommand& options, const RepairPlan& plan)
{
  const auto* from_image = std::get_if<FromImage>(&options.mode);
  const std::string& from = from_image ? from_image->image : options.disk;
  if (options.json) {
    print(to_json(plan, options.disk, from));
    return;
  }
  print(plan.writes.empty() ? message("{}: nothing to repair\n", options.disk)
                            : message("{}: {} from {}:\n", options.disk,
                                      options.apply ? "is being repaired" : "would be repaired", from));
  print(to_text(plan.changes, stdout_style()));
  print(overwritten_text(plan, options.disk, from, stdout_style()));
}

/// How all of DISK is compared with IMAGE as it was read. Where a partition ends as no option says, no command does it.
std::string how_to_compare(const RepairCommand& options, const RepairPlan& plan, const std::string& image)
{
  if (!plan.kept_slots.empty() && !plan.extension)
    return fmt::format("nothing compares it, as slot {} ends neither as in the image nor at the end of the disk",
                       fmt::join(plan.kept_slots, ","));
  Reading reading = options.reading.reading;
  if (plan.extension)
    reading.extend = SlotToExtend{plan.extension->slot};
  return verify_command(image, options.disk, reading);
}

/// What was checked, what was not, and how to check it.
Exit conclude(const RepairCommand& options, const RepairPlan& plan, std::string_view done)
{
  const auto* from_image = std::get_if<FromImage>(&options.mode);
  if (!from_image) {
    complain(message("{}: {}; no data of the partitions was looked at", options.disk, done));
    return Exit::same;
  }
  std::uint64_t bytes = 0;
  for (const Overwritten& each : plan.overwritten)
    bytes += each.range.size;
  const std::string& image = from_image->image;
  const std::string words =
      bytes == 0
          ? message("{}: {}; data was compared only where a table is or usually lies, and is that of {}; all of it: ",
                    options.disk, done, image)
          : message("{}: {}; but {} bytes of data are not those of {}, where a table may have been written over them: "
                    "they are listed, and not written; to see whether more differs: ",
                    options.disk, done, bytes, image);
  complain(words + how_to_compare(options, plan, image));
  return bytes == 0 ? Exit::same : Exit::differs;
}

/// All messages but the report go to stderr, so that --json stays JSON.
void write_all(DeviceTarget& target, const std::vector<Write>& writes)
{
  write_and_check(writes, target);
  if (const auto reason = target.reread_partitions())
    complain("note: " + *reason);
}

Exit take_back(const RepairCommand& options, const std::string& undo_path)
{
  const Undo undo = load_undo(undo_path);
  const auto [disk, target] = open_in_place(options, Others::none);
  const std::vector<Write> writes = plan_undo(*disk, undo);
  for (const Write& write : writes)
    print(message("{}: {} bytes {}-{}, {}\n", options.disk, target ? "putting back" : "would put back", write.offset,
                  write.range().end() - 1, write.what));
  if (writes.empty()) {
    print(message("{}: nothing to undo\n", options.disk));
    return Exit::same;
  }
  if (!target) {
    complain("nothing is written; --apply writes");
    return Exit::differs;
  }
  write_all(*target, writes);
  complain(fmt::format("{}: undone, and read back", options.disk));
  return Exit::same;
}

Exit repair(const RepairCommand& options)
{
  const auto [disk, target] = open_in_place(options, Others::none);
  const RepairPlan repair_plan = plan(options, *disk);
  show(options, repair_plan);
  const auto* from_image = std::get_if<FromImage>(&options.mode);
  for (const std::string& warning : repair_plan.warnings)
    complain(message("warning: {}: {}", from_image ? from_image->image : options.disk, warning));
  if (repair_plan.writes.empty())
    return conclude(options, repair_plan, "the table is as it should be");
  if (!target) {
    complain("nothing is written; --apply writes");
    return Exit::differs;
  }
  save_what_is_overwritten(options, repair_plan);
  write_all(*target, repair_plan.writes);
  return conclude(options, repair_plan, "the table is repaired, and read back");
}

Exit run_repair(const RepairCommand& options)
{
  const auto* undo = std::get_if<TakeBack>(&options.mode);
  return undo ? take_back(options, undo->undo_path) : repair(options);
}

/// What was given on the command line; the mode is whichever of its options is there, whatever is in it.
struct Given {
  RepairCommand options;
  std::string image, undo_path;
  std::vector<std::string> slots, moves;
  bool relocate = false, keep_grown = false;
  CLI::Option *from_option, *move_option, *undo_option;

  Mode mode() const
  {
    if (from_option->count() != 0)
      return FromImage{image, parse_slots(slots), keep_grown ? GrownSlots::keep : GrownSlots::refuse};
    if (move_option->count() != 0)
      return Move{parse_moves(moves)};
    if (undo_option->count() != 0)
      return TakeBack{undo_path};
    return Relocate{};
  }
};

/// A list of one word, which leaves the next word alone, and may be given again.
CLI::Option* add_list(CLI::App& app, const std::string& name, std::vector<std::string>& lists, const std::string& help)
{
  return app.add_option(name, lists, help)->allow_extra_args(false);
}

}  // namespace

void add_repair(CLI::App& app, Run& run)
{
  const auto given = std::make_shared<Given>();
  CLI::App* command = app.add_subcommand("repair", "Write IMAGE's table back to DISK, sized for DISK");
  CLI::Option* save_undo = add_in_place_options(*command, given->options);
  CLI::Option_group* mode = command->add_option_group("mode");
  given->from_option = mode->add_option("--from", given->image, "Take MBR, headers and slots from IMAGE");
  given->from_option->type_name("IMAGE");
  given->move_option = add_list(*mode, "--move", given->moves, "Move entries to other slots, all at once");
  given->move_option->type_name("FROM:TO,...");
  mode->add_flag("--relocate", given->relocate, "Only move the end of the table to the end of DISK");
  given->undo_option = mode->add_option("--undo", given->undo_path, "Put back what an earlier repair overwrote");
  given->undo_option->type_name("FILE");
  mode->require_option(1);
  add_list(*command, "--slot", given->slots, "Slots that get IMAGE's entry although the partitions differ")
      ->type_name("N,...")
      ->needs(given->from_option);
  command->add_flag("--keep-grown", given->keep_grown, "Keep DISK's end of partitions that were grown")
      ->needs(given->from_option);
  save_undo->excludes(given->undo_option);
  add_disk_options(*command, given->options.reading);
  add_json_option(*command, given->options.json);
  command->callback([&run, given] {
    RepairCommand& options = given->options;
    options.mode = given->mode();
    if (options.json && std::holds_alternative<TakeBack>(options.mode))
      refuse("--json: not with --undo, which has no report for programs");
    run = [given] { return run_repair(given->options); };
  });
}

}  // namespace gptgrow
