// SPDX-License-Identifier: BSD-3-Clause
// A file of mostly zeros in few bytes of input: 4 bytes of its size, and what of it is not zeros: 4 bytes of place, 2 of length, and
// the bytes, again and again.
#pragma once

#include "core/gpt/fields.h"
#include "core/gpt/header.h"
#include "tests/fuzz/require.h"

#include <algorithm>
#include <cstring>
#include <vector>

struct Piece {
  std::uint64_t offset;
  std::span<const std::byte> bytes;
};

struct Pieces {
  /// `input` must outlive it. A size of `max_size_bytes` or more starts again at 0.
  Pieces(std::span<const std::byte> input, std::uint64_t max_size_bytes)
  {
    using gptgrow::get_field;
    if (input.size() < 4)
      return;
    size_bytes = get_field<std::uint32_t>(input, 0) % max_size_bytes;
    for (input = input.subspan(4); input.size() > 6;) {
      const std::size_t length = std::min<std::size_t>(get_field<std::uint16_t>(input, 4), input.size() - 6);
      all.push_back({get_field<std::uint32_t>(input, 0), input.subspan(6, length)});
      input = input.subspan(6 + length);
    }
  }

  /// The bytes at `offset`, zeros where there are none.
  void read(std::uint64_t offset, std::span<std::byte> buffer) const
  {
    std::ranges::fill(buffer, std::byte{0});
    for (const Piece& piece : all) {
      const std::uint64_t first = std::max(piece.offset, offset);
      const std::uint64_t end = std::min(piece.offset + piece.bytes.size(), offset + buffer.size());
      if (first < end)
        std::memcpy(&buffer[first - offset], &piece.bytes[first - piece.offset], end - first);
    }
  }

  std::vector<std::byte> bytes() const
  {
    std::vector<std::byte> bytes(size_bytes);
    read(0, bytes);
    return bytes;
  }

  std::uint64_t size_bytes = 0;
  std::vector<Piece> all;
};

/// Makes the CRCs of the header at `offset` and of its array right, where it has them.
inline void mend_crcs(std::span<std::byte> disk, std::size_t offset, std::size_t sector_size)
{
  using gptgrow::Header;
  if (offset > disk.size() || disk.size() - offset < sector_size)
    return;
  const auto sector = disk.subspan(offset, sector_size);
  Header header({sector.begin(), sector.end()});
  if (header.header_size_bytes() < 92 || header.header_size_bytes() > sector_size)
    return;
  const std::uint64_t lba = header.partition_entry_lba().value;
  if (lba <= disk.size() / sector_size && header.array_size_bytes() <= disk.size() - lba * sector_size)
    header.set_array_crc32(gptgrow::crc32(disk.subspan(lba * sector_size, header.array_size_bytes())));
  header.seal();
  std::ranges::copy(header.sector(), sector.begin());
}

/// Of the primary and of the last header, for sectors of both sizes.
inline void mend_crcs(std::span<std::byte> disk)
{
  for (const std::size_t sector_size : {512U, 4096U}) {
    mend_crcs(disk, sector_size, sector_size);
    mend_crcs(disk, disk.size() / sector_size * sector_size - sector_size, sector_size);
  }
}
