// SPDX-License-Identifier: BSD-3-Clause
#include "cli/choose_target.h"

#include "cli/command.h"

#include "core/error.h"
#include "core/report/text_style.h"
#include "core/restore/candidates.h"

#include <iostream>

#include <unistd.h>

namespace gptgrow {

namespace {

std::string line_of(const Candidate& disk)
{
  std::string what = escaped(disk.hardware_name);
  for (const std::string& more : {disk.transport, summary(disk.contents)})
    if (!more.empty())
      what += (what.empty() ? "" : ", ") + more;
  std::string line = fmt::format("{}  {:>6}  {}\n", disk.path, short_size(disk.size_bytes), what);
  for (const PresentPartition& partition : disk.contents.partitions)
    line += fmt::format("      {:>4}  {:>6}  {}{}\n", partition.number, short_size(partition.range.size),
                        partition.type.empty() ? "?" : partition.type,
                        partition.label.empty() ? "" : " \"" + escaped(partition.label) + '"');
  return line;
}

}  // namespace

std::string summary(const Contents& contents)
{
  if (!contents.type.empty())
    return contents.type;
  if (contents.table_type.empty())
    return "";
  return contents.partitions.empty() ? fmt::format("an empty {} table", contents.table_type)
                                     : contents.table_type + " partitions";
}

std::string choose_target(const std::shared_ptr<const Source>& image, const Reading& reading)
{
  if (!::isatty(STDIN_FILENO) || !::isatty(STDERR_FILENO))
    refuse("TARGET is needed: without a terminal, nobody can be asked for it");
  std::vector<std::string> paths;
  std::string others;
  for (const Candidate& disk : candidates(image, reading)) {
    if (!disk.why_not.empty()) {
      others += "     " + line_of(disk) + "         not this one: " + escaped(disk.why_not) + '\n';
      continue;
    }
    if (paths.empty())
      say(message("Disks that can take {}:\n", image->name()));
    paths.push_back(disk.path);
    say(fmt::format("{:>3}  {}", paths.size(), line_of(disk)));
  }
  if (!others.empty())
    say((paths.empty() ? "" : "Others:\n") + others);
  if (paths.empty())
    refuse("no disk of this machine can take {}", image->name());
  say("Type the number or the name of the disk to restore to: ");
  std::string answer;
  std::getline(std::cin, answer);
  for (std::size_t i = 0; i < paths.size(); ++i)
    if (answer == std::to_string(i + 1) || answer == paths[i] || "/dev/" + answer == paths[i])
      return paths[i];
  refuse("\"{}\" is none of them: nothing is written", answer);
}

}  // namespace gptgrow
