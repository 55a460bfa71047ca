// SPDX-License-Identifier: BSD-3-Clause
#include "cli/choose_target.h"

#include "cli/command.h"
#include "cli/contents_words.h"

#include "core/error.h"
#include "core/report/text_style.h"
#include "core/target/medium.h"

#include <iostream>

#include <sys/stat.h>
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
    line += "    " + line_of(partition);
  return line;
}

}  // namespace

Candidate choose_target(const std::shared_ptr<const Source>& image, const Reading& reading)
{
  if (!::isatty(STDIN_FILENO) || !::isatty(STDERR_FILENO))
    refuse("TARGET is needed: without a terminal, nobody can be asked for it");
  std::vector<Candidate> offered;
  std::string others;
  for (const Candidate& disk : candidates(image, reading)) {
    if (!disk.why_not.empty()) {
      others += "     " + line_of(disk) + "         not this one: " + escaped(disk.why_not) + '\n';
      continue;
    }
    if (offered.empty())
      say(message("Disks that can take {}:\n", image->name()));
    offered.push_back(disk);
    say(fmt::format("{:>3}  {}", offered.size(), line_of(disk)));
  }
  if (!others.empty())
    say((offered.empty() ? "" : "Others:\n") + others);
  if (offered.empty())
    refuse("no disk of this machine can take {}", image->name());
  say("Type the number or the name of the disk to restore to: ");
  std::string answer;
  std::getline(std::cin, answer);
  for (std::size_t i = 0; i < offered.size(); ++i)
    if (answer == std::to_string(i + 1) || answer == offered[i].path || "/dev/" + answer == offered[i].path)
      return offered[i];
  refuse("\"{}\" is none of them: nothing is written", answer);
}

void check_is_still(const Candidate& chosen)
{
  struct stat status;
  if (::stat(chosen.path.c_str(), &status) == -1)
    throw std::system_error(errno, std::generic_category(), chosen.path);
  if (const std::string now = device_identity(status.st_rdev); now != chosen.identity)
    refuse("{}: is another disk than the one that was shown ({}; now: {}): nothing is written", chosen.path,
           chosen.identity, now);
}

}  // namespace gptgrow
