// SPDX-License-Identifier: BSD-3-Clause
#include "cli/verify_restored.h"

#include "cli/long_work.h"
#include "core/error.h"
#include "core/report/verification_report.h"
#include "core/restore/verify.h"
#include "core/source/file_io.h"
#include "core/source/file_source.h"
#include "core/target/medium.h"

namespace gptgrow {

namespace {

/// A table over data that are not the image's would be taken for whole.
void withdraw_table(Restore& restore)
{
  const std::string& target = restore.target().name();
  try {
    restore.withdraw_table();
    complain(target + ": its table is taken away again; --no-verify leaves it there");
  } catch (const std::exception& e) {
    complain(e);
    complain(target + ": its table could not be taken away again: do not use it");
  }
}

}  // namespace

Exit verify_restored(Restore& restore, const DiskOptions& image, FreeSpace free_space)
{
  const std::string& target = restore.target().name();
  if (!same_medium(FileSource(target), restore.target()))
    refuse("{}: is not what was written any more: something else has that name now", target);
  const VerifyOptions verify_options{true, restore.checksums(), free_space == FreeSpace::zero};
  const Verification result = [&] {
    LongWork work;
    try {
      return verify(restore.disk(), restore.target(), verify_options, work.monitor());
    } catch (const IoError& e) {
      if (e.path() == target)
        withdraw_table(restore);
      throw;
    }
  }();
  if (result.stopped) {
    complain(fmt::format("stopped: {} is restored, but not wholly verified; {} does it", target,
                         verify_command(image.file, target, image.reading)));
    return Exit::trouble;
  }
  try {
    print(to_text(result, restore.disk(), restore.target(), verify_options, stdout_style()));
  } catch (const std::system_error& e) {
    // What was asked for is done, or is not, whoever hears of it.
    complain(fmt::format("{}: {}, but the report cannot be printed: {}", target,
                         result.same() ? "restored and verified" : "restored, and differs", e.what()));
  }
  if (result.same())
    return Exit::same;
  complain(target +
           ": does not hold what was written: it is failing, something else writes to it, or the image was changed");
  withdraw_table(restore);
  return Exit::trouble;
}

}  // namespace gptgrow
