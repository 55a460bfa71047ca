// SPDX-License-Identifier: BSD-3-Clause
#include "cli/in_place.h"

#include "cli/command.h"

#include "core/repair/undo.h"
#include "core/source/file_source.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>
#include <filesystem>

namespace gptgrow {

namespace {

std::string default_undo_path(const std::string& disk)
{
  const auto now = std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
  const std::string stem =
      fmt::format("gptgrow-{}-{:%Y%m%dT%H%M%SZ}", std::filesystem::path(disk).filename().string(), now);
  std::string path = stem + ".undo";
  for (int number = 2; std::filesystem::exists(path); ++number)
    path = fmt::format("{}-{}.undo", stem, number);
  return path;
}

}  // namespace

CLI::Option* add_in_place_options(CLI::App& app, InPlace& options)
{
  app.add_option("DISK", options.disk, "A file or block device")->required();
  app.add_flag("--apply", options.apply, "Write; without it, only show what would be written");
  CLI::Option* save_undo =
      app.add_option("--save-undo", options.save_undo, "Where to save what is overwritten (default: a new file here)");
  save_undo->type_name("FILE");
  add_yes_option(app, options.yes, "Given twice: write although DISK may be in use unseen");
  return save_undo;
}

OpenDisk open_in_place(const InPlace& options, Others others)
{
  if (!options.apply)
    return {std::make_shared<const FileSource>(options.disk), nullptr};
  const auto target = std::make_shared<DeviceTarget>(options.disk, others);
  if (!target->unseen_holders().empty() && options.yes < 2)
    refuse("{}: {}; --yes --yes writes it all the same; nothing is written", options.disk,
           fmt::to_string(fmt::join(target->unseen_holders(), "; ")));
  return {target, target};
}

void save_what_is_overwritten(const InPlace& options, const RepairPlan& plan)
{
  const std::string path = options.save_undo.value_or(default_undo_path(options.disk));
  save_undo(path, {plan.disk_size_bytes, plan.sector_size_bytes, plan.writes});
  complain(fmt::format("what is overwritten is saved; to put it back: gptgrow repair {} --undo {} --apply",
                       shell_word(options.disk), shell_word(path)));
}

}  // namespace gptgrow
