// SPDX-License-Identifier: BSD-3-Clause
#include "cli/command.h"

#include "core/error.h"
#include "core/report/changes_report.h"
#include "core/report/repair_report.h"
#include "core/repair/undo.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <filesystem>
#include <memory>

namespace gptgrow {

namespace {

struct Options {
  std::string disk;
  DiskOptions image;  // --from and how to read it
  std::vector<std::uint32_t> slots;
  bool keep_grown = false;
  std::vector<std::string> moves;
  bool relocate = false;
  std::string undo;
  std::string save_undo;
  bool apply = false;
  int yes = 0;
  bool json = false;
};

std::vector<SlotMove> parse_moves(const std::vector<std::string>& texts)
{
  std::vector<SlotMove> moves;
  for (const std::string& text : texts) {
    SlotMove move;
    const char* const end = text.data() + text.size();
    const auto [colon, error] = std::from_chars(text.data(), end, move.from);
    if (error != std::errc() || colon == end || *colon != ':' || std::from_chars(colon + 1, end, move.to).ptr != end ||
        colon + 1 == end)
      refuse("--move {}: expected FROM:TO, two slot numbers", text);
    moves.push_back(move);
  }
  return moves;
}

std::string default_undo_path(const std::string& disk)
{
  const auto now = std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
  return fmt::format("gptgrow-{}-{:%Y%m%dT%H%M%SZ}.undo", std::filesystem::path(disk).filename().string(), now);
}

RepairPlan plan_from_image(const Options& options, const Image& disk)
{
  try {
    return plan_repair_from_image(disk, options.image, options.slots,
                                  options.keep_grown ? GrownSlots::keep : GrownSlots::refuse);
  } catch (const PartitionsDiffer& differ) {
    std::string hint;
    if (!differ.grown_slots.empty())
      hint += fmt::format("\n--keep-grown would keep the disk's end of slot {}, and take all else from the image",
                          fmt::join(differ.grown_slots, ","));
    if (!differ.slots.empty())
      hint += fmt::format("\n--slot {} would give these slots the image's entries, or none", fmt::join(differ.slots, ","));
    throw Error(differ.what() + hint);
  }
}

RepairPlan plan(const Options& options, const Image& disk)
{
  if (!options.image.file.empty())
    return plan_from_image(options, disk);
  return plan_repair_in_place(disk, options.image, parse_moves(options.moves));
}

void show(const Options& options, const RepairPlan& plan)
{
  const std::string& from = options.image.file.empty() ? options.disk : options.image.file;
  if (options.json) {
    print(to_json(plan, options.disk, from));
    return;
  }
  print(plan.writes.empty() ? fmt::format("{}: nothing to repair\n", options.disk)
                            : fmt::format("{}, repaired from {}:\n", options.disk, from));
  print(to_text(plan.changes, stdout_style()));
  print(overwritten_text(plan, options.disk, from, stdout_style()));
}

/// What was checked, what was not, and how to check it.
Exit conclude(const Options& options, const RepairPlan& plan, std::string_view done)
{
  if (options.image.file.empty()) {
    complain(fmt::format("{}: {}; no data of the partitions was looked at", options.disk, done));
    return Exit::same;
  }
  std::uint64_t bytes = 0;
  for (const Overwritten& each : plan.overwritten)
    bytes += each.range.size;
  const std::string& image = options.image.file;
  if (bytes == 0)
    complain(fmt::format("{}: {}; data was compared only where a table is or usually lies, and is that of {}; all of it: "
                         "gptgrow verify {} {}", options.disk, done, image, image, options.disk));
  else
    complain(fmt::format("{}: {}; but {} bytes of data are not those of {}, where a table may have been written over them: "
                         "they are listed, and not written; to see whether more differs: gptgrow verify {} {}",
                         options.disk, done, bytes, image, image, options.disk));
  return bytes == 0 ? Exit::same : Exit::differs;
}

/// All messages but the report go to stderr, so that --json stays JSON.
void write_all(DeviceTarget& target, const std::vector<Write>& writes)
{
  write_and_check(writes, target);
  if (const auto reason = target.reread_partitions())
    complain("note: " + *reason);
}

/// Holds DISK in `target` where it is to be written. Throws Error where it may be in use unseen, unless --yes was given
/// twice.
void hold_disk(const Options& options, std::optional<DeviceTarget>& target)
{
  if (!options.apply)
    return;
  target.emplace(options.disk);
  if (!target->unseen_holders().empty() && options.yes < 2)
    refuse("{}: {}; --yes --yes repairs it all the same; nothing is written", options.disk,
           fmt::join(target->unseen_holders(), "; "));
}

Exit undo(const Options& options)
{
  const Undo undo = load_undo(options.undo);
  std::optional<DeviceTarget> target;
  hold_disk(options, target);
  const std::vector<Write> writes = plan_undo(Image(options.disk), undo);
  for (const Write& write : writes)
    print(fmt::format("{}: put back bytes {}-{}, {}\n", options.disk, write.offset, write.range().end() - 1, write.what));
  if (writes.empty()) {
    print(fmt::format("{}: nothing to undo\n", options.disk));
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

Exit repair(const Options& options)
{
  // Held before it is looked at, so that nothing changes in between.
  std::optional<DeviceTarget> target;
  hold_disk(options, target);
  const RepairPlan repair_plan = plan(options, Image(options.disk));
  show(options, repair_plan);
  for (const std::string& warning : repair_plan.warnings)
    complain(fmt::format("warning: {}: {}", options.image.file.empty() ? options.disk : options.image.file, warning));
  if (repair_plan.writes.empty())
    return conclude(options, repair_plan, "the table is as it should be");
  if (!target) {
    complain("nothing is written; --apply writes");
    return Exit::differs;
  }
  const std::string undo_path = options.save_undo.empty() ? default_undo_path(options.disk) : options.save_undo;
  save_undo(undo_path, {repair_plan.disk_size_bytes, repair_plan.sector_size_bytes, repair_plan.writes});
  complain(fmt::format("what is overwritten is saved; to put it back: gptgrow repair {} --undo {} --apply", options.disk,
                       undo_path));
  write_all(*target, repair_plan.writes);
  return conclude(options, repair_plan, "the table is repaired, and read back");
}

Exit run_repair(const Options& options)
{
  return options.undo.empty() ? repair(options) : undo(options);
}

}  // namespace

void add_repair(CLI::App& app, Run& run)
{
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("repair", "Write IMAGE's table back to DISK, sized for DISK");
  command->add_option("DISK", options->disk, "A file or block device")->required();
  CLI::Option_group* mode = command->add_option_group("mode");
  CLI::Option* from = mode->add_option("--from", options->image.file, "Take MBR, headers and slots from IMAGE");
  from->type_name("IMAGE");
  mode->add_option("--move", options->moves, "Move entries to other slots, all at once")
      ->delimiter(',')->type_name("FROM:TO,...");
  mode->add_flag("--relocate", options->relocate, "Only move the end of the table to the end of DISK");
  mode->add_option("--undo", options->undo, "Put back what an earlier repair overwrote")->type_name("FILE");
  mode->require_option(1);
  command->add_option("--slot", options->slots, "Slots that get IMAGE's entry although the partitions differ")
      ->delimiter(',')->type_name("N,...")->needs(from);
  command->add_flag("--keep-grown", options->keep_grown, "Keep DISK's end of partitions that were grown")->needs(from);
  command->add_flag("--apply", options->apply, "Write; without it, only show what would be written");
  command->add_option("--save-undo", options->save_undo, "Where to save what is overwritten (default: a new file here)")
      ->type_name("FILE");
  command->add_flag("--yes", options->yes, "Given twice: write although DISK may be in use unseen");
  add_disk_options(*command, options->image);
  add_json_option(*command, options->json);
  command->callback([&run, options] { run = [options] { return run_repair(*options); }; });
}

}  // namespace gptgrow
