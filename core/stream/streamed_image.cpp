// SPDX-License-Identifier: BSD-3-Clause
#include "core/stream/streamed_image.h"

#include "core/error.h"
#include "core/target/chunk.h"

#include <algorithm>

namespace gptgrow {

namespace {

/// The first of `parts`, in order of place, that does not end before `offset`; their end: there is none.
template <typename Parts>
auto part_at(const Parts& parts, std::uint64_t offset)
{
  return std::ranges::upper_bound(parts, offset, {}, [](const auto& part) { return part.end(); });
}

}  // namespace

StreamedImage::StreamedImage(std::shared_ptr<const HeadImage> head, Parts parts, const Source& written_to)
    : head_(std::move(head)), parts_(std::move(parts)), written_to_(written_to)
{
}

bool StreamedImage::is_held(std::uint64_t offset) const
{
  const auto held = part_at(parts_.held, offset);
  return held != parts_.held.end() && held->offset <= offset;
}

void StreamedImage::read(std::uint64_t offset, std::span<std::byte> buffer) const
{
  while (!buffer.empty()) {
    const Extent next = extent({offset, buffer.size()});
    const std::span<std::byte> part = buffer.first(next.size);
    if (next.hole) {
      std::ranges::fill(part, std::byte{0});
    } else if (is_held(offset)) {
      const Held& held = *part_at(parts_.held, offset);
      std::copy_n(held.bytes.begin() + static_cast<std::ptrdiff_t>(offset - held.offset), part.size(), part.begin());
    } else if (offset + part.size() > written_to_.size_bytes()) {
      refuse("{}: bytes {}-{} of its disk lie behind the end of {} and are needed again: it must be unpacked to a file",
             name(), offset, offset + part.size() - 1, written_to_.name());
    } else {
      written_to_.read(offset, part);
    }
    offset += part.size();
    buffer = buffer.subspan(part.size());
  }
}

/// As it was when its checksum was added.
ByteRange StreamedImage::chunk_at(std::uint64_t offset) const
{
  const std::uint64_t end = std::min(size_bytes(), written_to_.size_bytes());
  return first_chunk({offset, extent({offset, end - offset}).size});
}

/// Of data that was written: cut out of whole chunks that are as they were.
std::optional<std::vector<std::byte>> StreamedImage::read_checked(ByteRange range, WhenChanged when_changed) const
{
  std::vector<std::byte> result;
  for (std::uint64_t at = parts_.checksums.last_before(range.offset).value_or(range.offset); at < range.end();) {
    const ByteRange chunk = chunk_at(at);
    const std::vector<std::byte> bytes = read_bytes(written_to_, chunk);
    const bool is_same = parts_.checksums.are_same(at, bytes).value_or(false);
    if (!is_same && when_changed == WhenChanged::leave)
      return std::nullopt;
    if (!is_same)
      refuse(
          "{}: bytes {}-{} are not what was written there a moment ago: it is failing, or something else writes to it",
          written_to_.name(), chunk.offset, chunk.end() - 1);
    const std::uint64_t first = std::max(at, range.offset), end = std::min(chunk.end(), range.end());
    result.insert(result.end(), bytes.begin() + static_cast<std::ptrdiff_t>(first - at),
                  bytes.begin() + static_cast<std::ptrdiff_t>(end - at));
    at = chunk.end();
  }
  return result;
}

void StreamedImage::settle_checksums(const Disk& disk, WhenChanged when_changed)
{
  std::vector<std::pair<ByteRange, std::vector<std::byte>>> cut;
  for_each_piece(disk, [&](const Piece& piece) {
    if (!piece.is_data() || is_held(piece.range.offset))
      return;
    for (ByteRange rest = piece.range; rest.size != 0;) {
      const ByteRange chunk = first_chunk(rest);
      if (!parts_.checksums.has(chunk.offset) || chunk_at(chunk.offset) != chunk)
        if (auto bytes = read_checked(chunk, when_changed))
          cut.emplace_back(chunk, std::move(*bytes));
      rest = {chunk.end(), rest.size - chunk.size};
    }
  });
  for (const auto& [chunk, bytes] : cut)
    parts_.checksums.put(chunk.offset, checksum(bytes));
}

Extent StreamedImage::extent(ByteRange range) const
{
  std::uint64_t end = range.end();
  if (const auto held = part_at(parts_.held, range.offset); held != parts_.held.end()) {
    if (held->offset <= range.offset)
      return {std::min(end, held->end()) - range.offset, false};
    end = std::min(end, held->offset);
  }
  if (const auto zeros = part_at(parts_.zeros, range.offset); zeros != parts_.zeros.end()) {
    if (zeros->offset <= range.offset)
      return {std::min(end, zeros->end()) - range.offset, true};
    end = std::min(end, zeros->offset);
  }
  return {end - range.offset, false};
}

}  // namespace gptgrow
