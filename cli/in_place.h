// SPDX-License-Identifier: BSD-3-Clause
// What the commands share that write a table where it lies: DISK, held from the check to the last write, and what is overwritten.
#pragma once

#include "core/repair/repair.h"

#include <CLI/CLI.hpp>

namespace gptgrow {

struct InPlace {
  std::string disk;
  std::optional<std::string> save_undo;
  bool apply = false;
  int yes = 0;
};

/// DISK, --apply, --save-undo and --yes. Returns --save-undo.
CLI::Option* add_in_place_options(CLI::App& app, InPlace& options);

/// DISK: held where it is to be written, before it is looked at, so that nothing changes in between.
struct OpenDisk {
  std::shared_ptr<const Source> source;
  std::shared_ptr<DeviceTarget> target;  // the same; none where nothing is to be written
};

/// Throws Error where DISK may be in use unseen, unless --yes was given twice.
OpenDisk open_in_place(const InPlace& options, Others others);

/// Saves what the plan overwrites, and says how to put it back.
void save_what_is_overwritten(const InPlace& options, const RepairPlan& plan);

}  // namespace gptgrow
