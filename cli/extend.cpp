// SPDX-License-Identifier: BSD-3-Clause
#include "cli/command.h"
#include "cli/in_place.h"
#include "cli/slot_contents.h"

#include "core/disk/size.h"
#include "core/repair/in_use.h"
#include "core/report/changes_report.h"
#include "core/report/repair_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace gptgrow {

namespace {

struct ExtendCommand : InPlace {
  std::string slot;
  DiskOptions reading;  // sector size and slot
  bool json = false;
};

std::string headline(const ExtendCommand& options, const RepairPlan& plan)
{
  const Extension& extension = *plan.extension;
  if (extension.before != extension.after)
    return message("{}: slot {} {} from LBA {} to {}, {} more:\n", options.disk, extension.slot,
                   options.apply ? "is being extended" : "would be extended", extension.before.value,
                   extension.after.value,
                   format_size((extension.after.value - extension.before.value) * plan.sector_size_bytes));
  const std::string already = message("{}: slot {} ends at LBA {} already, as far as it can", options.disk,
                                      extension.slot, extension.before.value);
  return already + (plan.writes.empty() ? "\n" : "; the end of the table moves to the end of the disk:\n");
}

SlotContents contents(const Source& disk, const RepairPlan& plan)
{
  const auto* file = dynamic_cast<const FileSource*>(&disk);
  return file ? contents_of_slot(*file, *plan.extension, plan.sector_size_bytes) : SlotContents{};
}

/// An array that does not run would not be found by its members any more.
void check_not_hidden(const ExtendCommand& options, const DeviceTarget& target, const Extension& extension,
                      const SlotContents& inside)
{
  const auto is_running = [&](const KernelPartition& partition) {
    return partition.number == extension.slot && is_part_of_device(partition);
  };
  if (inside.growing.hides && std::ranges::none_of(kernel_partitions(target), is_running))
    refuse("{}: {}; nothing that runs has it now: nothing is written", options.disk, in_words(extension.slot, inside));
}

std::string how_long_it_can_be_put_back(const DeviceTarget& target, std::uint32_t slot)
{
  return fmt::format("it can be put back until slot {} is grown{}", slot,
                     target.has_partitions_in_use() ? ", and only while nothing of the disk is mounted or in use" : "");
}

/// Also where there was nothing to write: an earlier run may have been cut off before it told the kernel.
void tell_kernel(const DeviceTarget& target, const RepairPlan& plan)
{
  if (const auto reason = resize_in_kernel(target, plan.extension->slot, extended_range(plan)))
    complain("note: " + *reason);
}

Exit run_extend(const ExtendCommand& options)
{
  Reading reading = options.reading.reading;
  reading.extend = parse_slot_to_extend(options.slot);
  // There is no option that would allow less: what is missing keeps the end from being moved.
  reading.policy.truncated = Truncated::allow;
  const auto [disk, target] = open_in_place(options, Others::in_partitions);
  const RepairPlan plan = plan_in_place(*disk, reading);
  if (target && target->has_partitions_in_use())
    check_kernel_agrees(*disk, kernel_partitions(*target), plan);
  const SlotContents inside = contents(*disk, plan);
  if (target)
    check_not_hidden(options, *target, *plan.extension, inside);
  if (options.json)
    print(to_json(plan, options.disk, {inside.type, inside.growing.command, inside.growing.remark}));
  else
    print(headline(options, plan) + to_text(plan.changes, stdout_style()));
  for (const std::string& warning : plan.warnings)
    complain(message("warning: {}: {}", options.disk, warning));
  if (target && !plan.writes.empty()) {
    save_what_is_overwritten(options, plan);
    write_and_check(plan.writes, *target);
  }
  if (target)
    tell_kernel(*target, plan);
  if (!plan.writes.empty())
    complain(target ? message("{}: the table is written, and read back; {}", options.disk,
                              how_long_it_can_be_put_back(*target, plan.extension->slot))
                    : "nothing is written; --apply writes");
  if (!options.json)
    print(escaped(in_words(plan.extension->slot, inside)) + '\n');
  return target || plan.writes.empty() ? Exit::same : Exit::differs;
}

}  // namespace

void add_extend(CLI::App& app, Run& run)
{
  const auto options = std::make_shared<ExtendCommand>();
  CLI::App* command = app.add_subcommand("extend", "Make one partition of DISK longer, up to the end, in place");
  add_in_place_options(*command, *options);
  command->add_option("SLOT", options->slot, "The number of its slot, or last: the used slot that ends last")
      ->required()
      ->type_name("SLOT|last");
  add_sector_size_option(*command, options->reading);
  add_json_option(*command, options->json);
  command->callback([&run, options] { run = [options] { return run_extend(*options); }; });
}

}  // namespace gptgrow
