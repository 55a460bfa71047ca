// SPDX-License-Identifier: BSD-3-Clause
#include "cli/command.h"

#include "core/disk/size.h"
#include "core/report/changes_report.h"

#include <fmt/core.h>

#include <memory>

namespace gptgrow {

namespace {

struct PlanCommand {
  DiskOptions disk;
  bool json = false;
};

Exit plan(const PlanCommand& options)
{
  const Disk disk = open_disk(options.disk);
  const std::vector<Change> list = changes(disk);
  const std::uint32_t sector_size_bytes = disk.table().sector_size_bytes;
  if (options.json) {
    print(to_json(list, "", options.disk.file, disk.size_bytes(), sector_size_bytes));
  } else {
    print(message("{} as a disk of {}, last LBA {}\n", options.disk.file, format_size(disk.size_bytes()),
                  disk.layout().backup.my_lba().value));
    print(to_text(list, stdout_style()));
    print(list.empty() ? "nothing changes\n" : "\nEvery other byte stays as it is.\n");
  }
  for (const std::string& warning : disk.warnings())
    complain(fmt::format("warning: {}: {}", options.disk.file, warning));
  return list.empty() ? Exit::same : Exit::differs;
}

}  // namespace

void add_plan(CLI::App& app, Run& run)
{
  const auto options = std::make_shared<PlanCommand>();
  CLI::App* command = app.add_subcommand("plan", "List each byte range that differs between IMAGE and the served disk");
  command->add_option("IMAGE", options->disk.file, "A file or block device")->required();
  add_size_options(*command, options->disk, true);
  add_disk_options(*command, options->disk);
  add_extend_option(*command, options->disk);
  add_json_option(*command, options->json);
  command->callback([&run, options] { run = [options] { return plan(*options); }; });
}

}  // namespace gptgrow
