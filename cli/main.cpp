// SPDX-License-Identifier: BSD-3-Clause
// The gptgrow command: options in, core calls, reports out.
#include "cli/arguments.h"
#include "cli/command.h"

#include <algorithm>
#include <exception>

#include <fcntl.h>
#include <unistd.h>

namespace {

using namespace gptgrow;

Exit run_command(const std::vector<std::string>& words)
{
  CLI::App app("Restore, diagnose and repair GPT disks without renumbering their slots");
  app.set_version_flag("--version", std::string("gptgrow ") + GPTGROW_VERSION);
  app.require_subcommand(1);
  Run run;
  add_inspect(app, run);
  add_plan(app, run);
  add_compare(app, run);
  add_repair(app, run);
  add_extend(app, run);
  add_restore(app, run);
  add_verify(app, run);
  if (!parse_arguments(app, words))
    return Exit::same;
  try {
    return run();
  } catch (const std::exception& e) {
    complain(e, app.get_subcommands().front());
    return Exit::trouble;
  }
}

}  // namespace

int main(int argc, char** argv)
{
  // A disk that is opened must not become the standard output of somebody who closed his.
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(fd, F_GETFD) == -1 && ::open("/dev/null", O_RDWR) != fd)
      return static_cast<int>(Exit::trouble);
  try {
    return static_cast<int>(run_command({argv + std::min(argc, 1), argv + argc}));
  } catch (const std::exception& e) {
    complain(e);
  }
  return static_cast<int>(Exit::trouble);
}
