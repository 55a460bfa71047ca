// SPDX-License-Identifier: BSD-3-Clause
#include "cli/command.h"

#include "core/report/comparison_report.h"
#include "core/source/open_source.h"

#include <memory>

namespace gptgrow {

namespace {

struct CompareCommand {
  std::string a, b;
  DiskOptions sector_size;  // only its sector size
  bool json = false;
};

Exit compare_disks(const CompareCommand& options)
{
  const Comparison comparison =
      compare(open_source(options.a), open_source(options.b), options.sector_size.reading.sector_size_bytes);
  if (options.json)
    write_json(comparison, print);
  else
    print(to_text(comparison, stdout_style()));
  // An extended partition is no damage.
  if (!options.json && !comparison.same() && !only_extended(comparison))
    print('\n' + repair_hint(options.b, options.a, options.sector_size.reading));
  return comparison.same() ? Exit::same : Exit::differs;
}

}  // namespace

void add_compare(CLI::App& app, Run& run)
{
  const auto options = std::make_shared<CompareCommand>();
  CLI::App* command = app.add_subcommand("compare", "Say how the table of B differs from that of A, and why");
  command->add_option("A", options->a, "What it should be: the image, a file or block device")->required();
  command->add_option("B", options->b, "What it is: the disk, a file or block device")->required();
  add_sector_size_option(*command, options->sector_size);
  add_json_option(*command, options->json);
  command->callback([&run, options] { run = [options] { return compare_disks(*options); }; });
}

}  // namespace gptgrow
