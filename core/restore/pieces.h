// SPDX-License-Identifier: BSD-3-Clause
// The served disk as a restore sees it: the table, data, holes, and the space that the image does not reach.
#pragma once

#include "core/repair/structures.h"

namespace gptgrow {

struct Piece {
  enum class Kind {
    table,       // MBR, headers, arrays: written last
    data,        // bytes of the image
    hole,        // zeros, inside the image or a partition
    free_space,  // zeros behind both
  };
  ByteRange range;
  Kind kind = Kind::data;
};

/// Const members may be called from several threads at once.
class Pieces {
public:
  /// Reads the table. `disk` must outlive this.
  explicit Pieces(const Disk& disk);

  const Disk& disk() const { return disk_; }
  const Structures& structures() const { return structures_; }
  ByteRange free_space() const { return free_space_; }

  /// The piece that starts at `range.offset`, at most `range.size` bytes of it; the next one may be of the same kind.
  /// Data lies in one run of the image. Precondition: `range` is not empty and lies inside the disk.
  Piece at(ByteRange range) const;

private:
  const Disk& disk_;
  Structures structures_;
  std::vector<ByteRange> tables_;  // in order of place
  ByteRange free_space_;
};

/// Calls `use` with every piece of the disk, in order of place.
template <typename Use>
void for_each_piece(const Pieces& pieces, Use use)
{
  const std::uint64_t size_bytes = pieces.disk().size_bytes();
  for (std::uint64_t offset = 0; offset < size_bytes;) {
    const Piece piece = pieces.at({offset, size_bytes - offset});
    use(piece);
    offset = piece.range.end();
  }
}

}  // namespace gptgrow
