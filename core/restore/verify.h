// SPDX-License-Identifier: BSD-3-Clause
// Whether a disk still holds what was restored to it, read from the medium.
#pragma once

#include "core/compare/changes.h"
#include "core/compare/compare.h"
#include "core/disk/disk.h"
#include "core/restore/monitor.h"
#include "core/stream/checksums.h"
#include "core/target/direct.h"

namespace gptgrow {

struct VerifyOptions {
  bool data = true;  // data and holes, not only the table
  const Checksums* checksums =
      nullptr;              // of the data; needed where `disk` reads them from the target itself, as it does
                            // when it is made of a StreamedImage
  bool free_space = false;  // also that there are zeros behind the image and all partitions, where it has nothing
};

/// How far a restore came that was cut off, as the disk tells.
enum class CutOff {
  in_data,   // its text is in the place of the primary header, and there is no backup
  in_table,  // all data was there; some of the table is not
};

/// The first byte that differs, or the first of a chunk whose checksum does.
struct Difference {
  std::uint64_t offset = 0;
  std::uint64_t size = 1;  // of that chunk: which of its bytes differ is not known
  Piece piece;
  std::optional<Entry> entry;  // the partition that it is in
  std::byte found{}, expected{};
};

struct Verification {
  bool is_table_same = true;      // else for_each_change()
  std::optional<CutOff> cut_off;  // nothing else is wrong with the table then
  std::string cut_off_id;         // of that restore, where the disk tells
  std::optional<Comparison>
      comparison;  // the diagnosis, where the table differs for another reason, and the disk has a valid GPT
  bool data_compared = false;            // or begun to be; never of a restore that was cut off in the data
  std::optional<Difference> difference;  // of data, holes and free space
  std::uint64_t compared_bytes = 0;      // of these
  bool past_cache = false;               // read from the medium, past what the kernel remembers of it
  bool stopped = false;                  // before the end

  bool same() const { return is_table_same && !difference && !stopped; }
};

/// Compares `target` with `disk`, which has its size. Throws Error when it has another; failed system
/// calls are std::system_error.
Verification verify(const Disk& disk, const DirectSource& target, const VerifyOptions& options, Monitor& monitor);

}  // namespace gptgrow
