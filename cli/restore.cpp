// SPDX-License-Identifier: BSD-3-Clause
#include "cli/choose_target.h"
#include "cli/command.h"
#include "cli/contents_words.h"
#include "cli/long_work.h"
#include "cli/slot_contents.h"
#include "cli/verify_restored.h"

#include "core/disk/size.h"
#include "core/error.h"
#include "core/restore/restore.h"
#include "core/source/open_source.h"
#include "core/target/medium.h"

#include <fmt/format.h>

#include <csignal>
#include <filesystem>
#include <iostream>
#include <memory>

#include <sys/stat.h>
#include <unistd.h>

namespace gptgrow {

namespace {

struct RestoreCommand {
  DiskOptions image;
  RestoreOptions restore;
  bool no_verify = false;
  int yes = 0;
  std::string sha256;
};

/// What `path` is, as far as it matters here.
struct TargetKind {
  bool is_block_device = false;
  bool is_partition = false;
  std::string hardware_name;
};

TargetKind kind_of(const std::string& path)
{
  struct stat status;
  if (::stat(path.c_str(), &status) == -1 || !S_ISBLK(status.st_mode))
    return {};
  return {true, is_partition(status.st_rdev), hardware_name(status.st_rdev)};
}

std::string words(const TargetKind& kind, bool is_new)
{
  if (is_new)
    return "a new file";
  const char* const what = kind.is_partition ? "a partition" : kind.is_block_device ? "a disk" : "a file";
  return kind.hardware_name.empty() ? what : fmt::format("{}, {}", what, escaped(kind.hardware_name));
}

std::string used_slots(const Disk& disk)
{
  std::vector<std::uint32_t> slots;
  for (const Entry& entry : disk.used_entries())
    slots.push_back(entry.slot);
  return slots.empty() ? "none" : join_runs(slots);
}

std::string how_it_goes_on(const Restore& restore)
{
  return restore.resumes()
             ? fmt::format("; an unfinished restore goes on, of which the map says that {} bytes are written",
                           restore.earlier_bytes())
             : "";
}

/// What is there now, and what will be.
void show_plan(const RestoreCommand& options, const Restore& restore, const TargetKind& kind)
{
  const Contents& contents = restore.contents();
  std::string out = message("{}: {}, {}\n", options.restore.target, words(kind, restore.makes_file()),
                            format_size(restore.disk().size_bytes()));
  if (const std::string now = summary(contents); !now.empty())
    out += fmt::format("  holds now, and will lose: {}\n", now);
  else if (!restore.makes_file() && !restore.resumes())
    out += "  nothing on it is recognized\n";
  for (const PresentPartition& partition : contents.partitions)
    out += line_of(partition);
  if (!restore.resumes())
    for (const Signature& signature : restore.stale_signatures())
      out += fmt::format("  wiped behind the image: {}{} at byte {}\n", signature.type, in_quotes(signature.label),
                         signature.range.offset);
  out += message("{}: {}, slots {}{}\n", options.image.file, format_size(restore.disk().image().size_bytes()),
                 used_slots(restore.disk()), how_it_goes_on(restore));
  // Where the question is: a person must not be asked about what went to a file.
  say(out);
}

/// Asks at the terminal, once.
void ask_for(const std::string& question, const std::string& name)
{
  say(message("{}Type {} to go on: ", question, name));
  std::string answer;
  if (!std::getline(std::cin, answer) || answer != name)
    refuse("that is not {}: nothing is written", name);
}

/// Why TARGET may be the wrong one, a sentence each.
std::vector<std::string> doubts(const RestoreCommand& options, const Restore& restore, const TargetKind& kind)
{
  std::vector<std::string> result = restore.unseen();
  if (kind.is_partition)
    result.emplace_back("is a partition, not a disk: nothing would find the slots inside it");
  struct stat image;
  if (!kind.is_block_device && !restore.contents().partitions.empty() &&
      ::stat(options.image.file.c_str(), &image) == 0 && S_ISBLK(image.st_mode))
    result.push_back(message("is a file that holds partitions, and {} is a disk: are the two the wrong way round?",
                             options.image.file));
  return result;
}

/// Throws Error unless a person, or --yes, agrees.
void confirm(const RestoreCommand& options, const Restore& restore, const TargetKind& kind)
{
  const std::string& target = options.restore.target;
  const std::vector<std::string> reasons = doubts(options, restore, kind);
  if (options.yes >= (reasons.empty() ? 1 : 2))
    return;
  if (options.image.file == "-")
    refuse("{}: nobody can be asked while standard input is the image: --yes{} is needed; nothing is written", target,
           reasons.empty() ? "" : " --yes");
  if (!::isatty(STDIN_FILENO) || !::isatty(STDERR_FILENO)) {
    if (!reasons.empty())
      refuse("{}: {}; --yes --yes restores to it all the same; nothing is written", target,
             fmt::to_string(fmt::join(reasons, "; ")));
    refuse("{}: without a terminal to ask at, --yes is needed; nothing is written", target);
  }
  const std::string name = std::filesystem::path(target).filename();
  if (!restore.makes_file())
    ask_for("All of it is overwritten. ", name);
  for (const std::string& reason : reasons)
    ask_for(message("{}: {}. ", target, reason), name);
}

/// What went through a pipe is gone, and cannot be gone on with.
std::string what_the_same_command_does(const RestoreCommand& options, const Restore& restore)
{
  if (restore.is_image_refused())
    return "would be refused again, with the same image";
  if (options.image.file == "-")
    return "begins anew, when it is given the image from its first byte on";
  return options.restore.map_path.empty() ? "begins anew (with --map FILE, a restore can go on where it ended)"
                                          : "goes on from here";
}

/// What TARGET is after a restore that ended early.
std::string state_of_target(const RestoreCommand& options, const Restore& restore)
{
  const std::string& target = options.restore.target;
  const bool has_map = !options.restore.map_path.empty();
  switch (restore.state()) {
  case Restore::State::untouched: return target + ": no byte was written";
  case Restore::State::wiping:
    return target + ": its old table may still be there, in part; the same command begins anew";
  case Restore::State::incomplete:
    return fmt::format("{} is incomplete and has no partition table; the same command {}", target,
                       what_the_same_command_does(options, restore));
  case Restore::State::writing_table: break;
  case Restore::State::complete: return target + ": all is written, and not verified";
  }
  return fmt::format("{} has all the data, and perhaps not the whole table; the same command {}", target,
                     has_map ? "writes that" : "begins anew");
}

/// What a person might take for done.
void say_what_was_not_done(const RestoreCommand& options, const Restore& restore)
{
  const std::string& target = options.restore.target;
  if (const auto left = restore.free_space_left())
    complain(
        fmt::format("note: bytes {}-{}, behind the image, are left as they are: {} cannot discard, nor soon zero them "
                    "itself; --free-space zero writes zeros there",
                    left->offset, left->end() - 1, target));
  if (options.no_verify && restore.earlier_bytes() != 0)
    complain(fmt::format("note: {} bytes written by an earlier run were not checked; {} does it",
                         restore.earlier_bytes(), verify_command(options.image.file, target, options.image.reading)));
}

Exit write_disk(const RestoreCommand& options, Restore& restore)
{
  LongWork work;
  try {
    if (restore.run(work.monitor()))
      return Exit::same;
    complain("stopped: " + state_of_target(options, restore));
  } catch (const std::exception& e) {
    complain(e);
    complain(state_of_target(options, restore));
  }
  return Exit::trouble;
}

/// An image that has to be looked at from its first byte to its last is read once. `chosen`: what was asked for.
Restore open_restore(RestoreCommand& options, std::optional<Candidate>& chosen)
{
  const std::string sha256 = options.sha256.empty() ? "" : parse_sha256(options.sha256);
  options.restore.reading = options.image.reading;
  const bool is_packed = is_stream(options.image.file);
  const auto stream =
      is_packed || !sha256.empty() ? open_stream(options.image.file, options.image.reading, sha256) : nullptr;
  const auto image = stream ? stream->head() : open_source(options.image.file, options.image.reading.format);
  if (options.restore.target.empty()) {
    chosen = choose_target(image, options.image.reading);
    options.restore.target = chosen->path;
  }
  if (!options.image.size.empty() || !options.image.reference.empty())
    options.restore.size = wanted_size(options.image, stream && !is_packed ? *stream->input().file() : *image);
  return stream ? Restore(stream, options.restore) : Restore(image, options.restore);
}

Exit run_restore(RestoreCommand options)
{
  std::optional<Candidate> chosen;
  Restore restore = open_restore(options, chosen);
  if (chosen)
    check_is_still(*chosen);
  const TargetKind kind = kind_of(options.restore.target);
  show_plan(options, restore, kind);
  for (const std::string& warning : restore.disk().warnings())
    complain(fmt::format("warning: {}: {}", options.image.file, warning));
  confirm(options, restore, kind);
  // Nobody may be listening any more when the work is done: that is no failure of it.
  ::signal(SIGPIPE, SIG_IGN);
  if (const Exit exit = write_disk(options, restore); exit != Exit::same)
    return exit;
  for (const std::string& note : restore.notes())
    complain("note: " + note);
  say_what_was_not_done(options, restore);
  const Exit exit =
      options.no_verify ? Exit::same : verify_restored(restore, options.image, options.restore.free_space);
  if (const auto reason = restore.target().reread_partitions())
    complain("note: " + *reason);
  if (const auto& extension = restore.disk().extension(); extension && exit == Exit::same)
    complain(in_words(extension->slot,
                      contents_of_slot(restore.target(), *extension, restore.disk().table().sector_size_bytes)));
  return exit;
}

}  // namespace

void add_restore(CLI::App& app, Run& run)
{
  const auto options = std::make_shared<RestoreCommand>();
  CLI::App* command = app.add_subcommand("restore", "Write IMAGE to TARGET, as a disk of TARGET's size, and verify it");
  command->add_option("IMAGE", options->image.file, "A file or block device, also compressed; -: standard input")
      ->required();
  command->add_option("TARGET", options->restore.target, "A block device, or a file; none, at a terminal: asked for");
  add_size_options(*command, options->image, false);
  const auto set_free_space = [options](const std::string& value) {
    options->restore.free_space = parse_free_space(value);
  };
  command
      ->add_option_function<std::string>("--free-space", set_free_space,
                                         "What lies behind the image on TARGET (default: discard)")
      ->take_last()
      ->type_name("discard|zero|keep");
  command->add_option("--map", options->restore.map_path, "Keep what is done in FILE, and go on from there")
      ->type_name("FILE");
  command->add_option("--sha256", options->sha256, "What IMAGE must have, as it is or unpacked")->type_name("HEX");
  command->add_flag("--no-verify", options->no_verify, "Do not read TARGET afterwards");
  add_yes_option(*command, options->yes, "Do not ask; twice where TARGET is a partition, or may be in use unseen");
  add_disk_options(*command, options->image);
  add_extend_option(*command, options->image);
  command->callback([&run, options] { run = [options] { return run_restore(*options); }; });
}

}  // namespace gptgrow
