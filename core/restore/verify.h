// SPDX-License-Identifier: BSD-3-Clause
// Whether a disk still holds what was restored to it, read from the medium.
#pragma once

#include "core/repair/changes.h"
#include "core/repair/compare.h"
#include "core/restore/monitor.h"
#include "core/restore/pieces.h"

namespace gptgrow {

struct VerifyOptions {
  bool data = true;        // data and holes, not only the table
  bool free_space = true;  // zeros behind the image too
};

/// The first byte that differs.
struct Difference {
  std::uint64_t offset = 0;
  Piece::Kind kind = Piece::Kind::data;
  std::optional<Entry> entry;  // the partition that it is in
  std::byte found{}, expected{};
};

struct Verification {
  std::vector<Change> table;             // before: what the disk holds; after: what it should hold
  std::optional<Comparison> comparison;  // the diagnosis, where `table` is not empty and the disk has a valid GPT
  std::optional<Difference> difference;  // of data, holes and free space
  std::uint64_t compared_bytes = 0;      // of these
  bool stopped = false;                  // before the end

  bool same() const { return table.empty() && !difference && !stopped; }
};

/// Compares the file or device at `path` with the disk that `pieces` describe, which has its size. Throws Error when
/// it has another; failed system calls are std::system_error.
Verification verify(const Pieces& pieces, const std::string& path, const VerifyOptions& options, Monitor& monitor);

}  // namespace gptgrow
