// SPDX-License-Identifier: BSD-3-Clause
#include "core/restore/filling.h"

#include "core/restore/transfer.h"

#include <algorithm>
#include <chrono>

namespace gptgrow {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kFirstStepBytes = 4 * 1024 * 1024;
constexpr std::uint64_t kEdgeBytes = 1024 * 1024;
constexpr auto kQuick = std::chrono::milliseconds(50);
constexpr auto kSlow = std::chrono::milliseconds(250);
constexpr auto kFreeSpaceTime = std::chrono::seconds(10);  // for what is not part of the image

/// Calls `act` for `range` in steps that grow while they are quick, so that the work can be stopped. False: it was.
template <typename Act>
bool in_steps(ByteRange range, Monitor& monitor, Act act)
{
  std::uint64_t step = kFirstStepBytes;
  while (range.size != 0) {
    if (monitor.stop)
      return false;
    const ByteRange part{range.offset, std::min(range.size, step)};
    const auto begin = Clock::now();
    act(part);
    const auto took = Clock::now() - begin;
    if (took < kQuick)
      step *= 2;
    else if (took > kSlow)
      step = std::max(step / 2, kEdgeBytes);
    monitor.done_bytes += part.size;
    range = {part.end(), range.size - part.size};
  }
  return true;
}

}  // namespace

Filling::Filling(const Disk& disk, DeviceTarget& target, FreeSpace free_space, const std::string& map_path,
                 ProgressMap& map, Monitor& monitor)
    : disk_(disk),
      target_(target),
      free_space_(free_space),
      map_(map),
      monitor_(monitor),
      checkpoints_(target, map_path, map, monitor)
{
}

bool Filling::run()
{
  const bool finished = zero_holes() && free_free_space() && copy();
  checkpoints_.finish();
  return finished;
}

bool Filling::zero_holes()
{
  std::vector<ByteRange> holes;
  std::uint64_t total_bytes = 0;
  for_each_piece(disk_, [&](const Piece& piece) {
    if (!piece.needs_zeros())
      return;
    for_each_missing(map_, piece.range, [&](ByteRange part) {
      holes.push_back(part);
      total_bytes += part.size;
    });
  });
  monitor_.begin(Monitor::Phase::preparing, total_bytes);
  return std::ranges::all_of(holes, [&](ByteRange hole) {
    return in_steps(hole, monitor_, [&](ByteRange part) {
      target_.zero(part);
      checkpoints_.add(part);
    });
  });
}

bool Filling::free_free_space()
{
  const std::uint64_t start = map_.first_missing(disk_.layout().free_space.offset);
  const ByteRange range{start, std::max(disk_.layout().free_space.end(), start) - start};
  if (range.size == 0)
    return true;
  const auto zero = [&](ByteRange part) {
    target_.zero(part);
    checkpoints_.add(part);
  };
  if (free_space_ == FreeSpace::zero) {
    monitor_.begin(Monitor::Phase::preparing, range.size);
    return in_steps(range, monitor_, zero);
  }
  // Devices pass over a granule that is only partly theirs to discard.
  const ByteRange whole = aligned_part(range, kEdgeBytes);
  ByteRange left = whole;
  const auto deadline = Clock::now() + kFreeSpaceTime;
  const auto free_it = [&](auto act) {
    bool can = true;
    monitor_.begin(Monitor::Phase::preparing, left.size);
    return in_steps(left, monitor_, [&](ByteRange part) {
      can = can && act(part);
      if (can)
        left = {part.end(), whole.end() - part.end()};
    });
  };
  if (!free_it([&](ByteRange part) { return target_.discard(part); }) ||
      !free_it([&](ByteRange part) { return Clock::now() < deadline && target_.zero_by_device(part); }))
    return false;
  if (left.size != 0)
    free_space_left_ = left == whole ? range : ByteRange{left.offset, range.end() - left.offset};
  if (left != whole || whole.size == 0)
    target_.zero({range.offset, whole.offset - range.offset});
  if (left.size == 0)
    target_.zero({whole.end(), range.end() - whole.end()});
  checkpoints_.add(range);
  return true;
}

bool Filling::copy()
{
  const std::uint64_t size_bytes = disk_.size_bytes();
  std::uint64_t total_bytes = 0, missing_bytes = 0;
  for_each_piece(disk_, [&](const Piece& piece) {
    if (!piece.is_data())
      return;
    total_bytes += piece.range.size;
    for_each_missing(map_, piece.range, [&](ByteRange part) { missing_bytes += part.size; });
  });
  monitor_.begin(Monitor::Phase::copying, total_bytes);
  monitor_.done_bytes = total_bytes - missing_bytes;

  Piece rest;  // of the piece that is being handed out
  const auto next = [&]() -> std::optional<Piece> {
    while (!monitor_.stop) {
      if (rest.range.size == 0) {
        const std::uint64_t offset = map_.first_missing(rest.range.offset);
        if (offset == size_bytes)
          break;
        rest = disk_.piece({offset, map_.missing_end(offset) - offset});
        if (!rest.is_data()) {
          // It was data when the holes were looked for: some file systems tell by what is in their cache.
          if (rest.needs_zeros())
            target_.zero(rest.range);
          checkpoints_.add(rest.range);
          rest.range = {rest.range.end(), 0};
          continue;
        }
      }
      const Piece chunk = first_chunk(rest);
      rest.range = {chunk.range.end(), rest.range.size - chunk.range.size};
      return chunk;
    }
    return std::nullopt;
  };
  const auto zero = [&](ByteRange range) {
    if (target_.can_punch())
      target_.zero(range);
    return target_.can_punch();
  };
  const auto done = [&](const Piece& chunk) {
    checkpoints_.add(chunk.range);
    monitor_.done_bytes += chunk.range.size;
  };
  Transfer(disk_, target_).copy(next, zero, done);
  return map_.first_missing(0) == size_bytes;
}

}  // namespace gptgrow
