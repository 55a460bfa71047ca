// SPDX-License-Identifier: BSD-3-Clause
#include "cli/command.h"
#include "cli/long_work.h"

#include "core/error.h"
#include "core/report/verification_report.h"
#include "core/restore/read_once.h"
#include "core/source/open_source.h"
#include "core/target/medium.h"

#include <fmt/format.h>

#include <memory>

namespace gptgrow {

namespace {

struct VerifyCommand {
  DiskOptions disk;
  std::string target;
  bool table_only = false;
  bool free_space = false;
  bool json = false;
};

/// An extended partition is no damage. What is read once cannot be repaired from.
std::string what_then(const VerifyCommand& options, const Verification& result)
{
  const auto extended = result.comparison ? only_extended(*result.comparison) : std::nullopt;
  if (extended)
    return fmt::format("(--extend {} compares it with {} as it is extended)\n", *extended, escaped(options.disk.file));
  return is_stream(options.disk.file) ? "(unpacked to a file, the image can be repaired from: gptgrow repair)\n"
                                      : repair_hint(options.target, options.disk.file, options.disk.reading);
}

Exit run_verify(const VerifyCommand& options)
{
  const DirectSource target(options.target);
  const auto stream = is_stream(options.disk.file) ? open_stream(options.disk.file, options.disk.reading, "") : nullptr;
  std::shared_ptr<const Source> image =
      stream ? stream->head() : open_source(options.disk.file, options.disk.reading.format);
  if (same_medium(target, *image))
    refuse("{}: is the image itself, {}, or a part of it: nothing to compare it with", options.target,
           options.disk.file);
  LongWork work;
  const auto streamed = stream ? read_once(*stream, target, work.monitor()) : nullptr;
  if (stream && !streamed) {
    complain("stopped: nothing is compared yet");
    return Exit::trouble;
  }
  if (streamed)
    image = streamed;
  const Disk disk(image, size_of(target), options.disk.reading);
  if (streamed)
    streamed->settle_checksums(disk, StreamedImage::WhenChanged::leave);
  for (const std::string& warning : disk.warnings())
    complain(fmt::format("warning: {}: {}", options.disk.file, warning));
  const VerifyOptions verify_options{!options.table_only, streamed ? &streamed->checksums() : nullptr,
                                     options.free_space};
  Verification result = verify(disk, target, verify_options, work.monitor());
  const Exit exit = !result.is_table_same || result.difference ? Exit::differs
                    : result.stopped                           ? Exit::trouble
                                                               : Exit::same;
  if (options.json) {
    write_json(std::move(result), disk, target, verify_options, print);
  } else {
    print(to_text(result, disk, target, verify_options, stdout_style()));
    if (result.data_compared && !options.free_space && disk.layout().free_space.size != 0)
      print("(--free-space compares it with zeros)\n");
    if (!result.is_table_same && !result.cut_off)
      print(what_then(options, result));
  }
  return exit;
}

}  // namespace

void add_verify(CLI::App& app, Run& run)
{
  const auto options = std::make_shared<VerifyCommand>();
  CLI::App* command = app.add_subcommand("verify", "Say whether TARGET still holds what was restored to it");
  command->add_option("IMAGE", options->disk.file, "A file or block device, also compressed; -: standard input")
      ->required();
  command->add_option("TARGET", options->target, "A file or block device")->required();
  CLI::Option* table_only =
      command->add_flag("--table-only", options->table_only, "Compare MBR, headers and slots, not the data");
  command->add_flag("--free-space", options->free_space, "Compare what lies behind the image with zeros, too")
      ->excludes(table_only);
  add_disk_options(*command, options->disk);
  add_extend_option(*command, options->disk);
  add_json_option(*command, options->json);
  command->callback([&run, options] { run = [options] { return run_verify(*options); }; });
}

}  // namespace gptgrow
