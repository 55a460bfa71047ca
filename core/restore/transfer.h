// SPDX-License-Identifier: BSD-3-Clause
// The engine: several chunks at once on their way between image and target. Memory is bounded, and taken once.
#pragma once

#include "core/disk/disk.h"
#include "core/stream/checksums.h"
#include "core/target/chunk.h"

#include <atomic>
#include <functional>
#include <memory>

namespace gptgrow {

/// How requests are kept in flight.
enum class Engine {
  io_uring,  // past the target's page cache, by one thread
  threads,   // each waits for its own request; past the page cache too, where the target can do that
};

/// Failed system calls are std::system_error, with the path and the byte where it failed; the first one is thrown when all
/// that was in flight has ended.
class Transfer {
public:
  /// Both functions are called by one thread at a time, whichever that is. Chunks come from first_chunk().
  using Next = std::function<std::optional<Piece>()>;
  using Done = std::function<void(const Piece&)>;

  /// Uses io_uring, unless `best` is threads, where the kernel allows it and the target can be used past the page cache.
  /// Both must outlive this.
  Transfer(const Disk& disk, const DirectSource& target, Engine best = Engine::io_uring);
  ~Transfer();

  /// Writes the image's bytes of every chunk that `next` gives, which must be data, to the same place of the target; where
  /// all of a chunk is zeros, `zero` may have done it otherwise. Durable only after a flush.
  void copy(const Next& next, const std::function<bool(ByteRange)>& zero, const Done& done);

  /// Compares every chunk that `next` gives with the target: data with the image, anything else with zeros. Where the
  /// target is read through the page cache, the caller has made that forget. The first byte that differs, if any; chunks must
  /// come in order of place. Not for tables. Chunks of which there are `checksums` are compared with these; of such a one that
  /// differs, only the beginning is told.
  std::optional<std::uint64_t> compare(const Next& next, const Done& done, const Checksums* checksums = nullptr);

private:
  class State;
  std::unique_ptr<State> state_;
};

inline Piece first_chunk(const Piece& piece)
{
  return {first_chunk(piece.range), piece.role, piece.is_hole};
}

}  // namespace gptgrow
