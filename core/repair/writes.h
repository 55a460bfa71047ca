// SPDX-License-Identifier: BSD-3-Clause
// The writes of a plan. Internal to core/repair.
#pragma once

#include "core/repair/patched.h"
#include "core/repair/repair.h"

namespace gptgrow {

/// Writes in the order in which they are done. A place may be written more than once, as a whole each time.
class Writes {
public:
  /// None yet. `disk` must live as long.
  explicit Writes(const Source& disk) : disk_(disk) {}

  /// Nothing, where the disk will hold these bytes already.
  void add(std::string what, std::uint64_t offset, std::span<const std::byte> bytes);
  void add(const Structure& structure) { add(name_of(structure.role), structure.offset, structure.bytes); }

  /// Whether add() would add anything.
  bool changes(const Structure& structure) const;

  /// As it will be.
  const Source& disk() const { return disk_; }

  std::vector<Write> take() { return std::move(writes_); }

private:
  Patched disk_;
  std::vector<Write> writes_;
};

/// Whether all of the old backup that `gpt` has zeros for may become zeros: it lies in none of `entries`, and is on `disk` what
/// it is on `image`, where it is known, or zeros, where an earlier run was cut off.
bool is_removable(const Source& disk, const Gpt& gpt, const Source& image, const std::vector<Entry>& entries);

/// The plan of `writes` that make the table of `disk` what `gpt` is.
RepairPlan plan_of(const Source& disk, const Gpt& gpt, Writes writes);

}  // namespace gptgrow
