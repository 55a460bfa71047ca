// SPDX-License-Identifier: BSD-3-Clause
#include "cli/command.h"

#include "core/report/inspection.h"
#include "core/source/open_source.h"
#include "core/stream/image_stream.h"

#include <memory>

namespace gptgrow {

namespace {

struct InspectCommand {
  std::string disk;
  DiskOptions reading;  // only its sector size and format
  bool json = false;
};

Exit inspect_disk(const InspectCommand& options)
{
  const Reading& reading = options.reading.reading;
  const auto stream = is_stream(options.disk) ? open_stream(options.disk, reading, "") : nullptr;
  const std::shared_ptr<const Source> disk = stream ? stream->head() : open_source(options.disk, reading.format);
  Inspection inspection = inspect(*disk, reading.sector_size_bytes);
  if (stream)
    inspection.warnings.emplace_back("only the beginning was read: the end is shown as the primary table describes it");
  if (options.json)
    write_json(inspection, print);
  else
    print(to_text(inspection, stdout_style()));
  if (inspection.table)
    return Exit::same;
  complain(options.disk + ": no valid GPT");
  return Exit::trouble;
}

}  // namespace

void add_inspect(CLI::App& app, Run& run)
{
  const auto options = std::make_shared<InspectCommand>();
  CLI::App* command = app.add_subcommand("inspect", "Show both tables, the slots and their gaps, and what is wrong");
  command->add_option("DISK", options->disk, "A file or block device")->required();
  add_format_option(*command, options->reading);
  add_sector_size_option(*command, options->reading);
  add_json_option(*command, options->json);
  command->callback([&run, options] { run = [options] { return inspect_disk(*options); }; });
}

}  // namespace gptgrow
