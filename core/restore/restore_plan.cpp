// SPDX-License-Identifier: BSD-3-Clause
#include "core/restore/restore_plan.h"

#include "core/target/direct.h"

#include <boost/icl/interval_set.hpp>

#include <algorithm>

namespace gptgrow {

namespace {

/// The end first: what begins at byte 0 holds the mark.
std::vector<ByteRange> places_of_tables(std::uint64_t size_bytes)
{
  const std::uint64_t tail_bytes = std::min(kUsualTailBytes, size_bytes);
  return {{size_bytes - tail_bytes, tail_bytes}, {0, std::min(kUsualHeadBytes, size_bytes)}};
}

std::vector<std::vector<ByteRange>> wipe_steps(std::uint64_t size_bytes, const TargetBefore& before)
{
  std::vector<std::vector<ByteRange>> steps;
  if (!before.headers.empty())
    steps.push_back(before.headers);
  steps.push_back(places_of_tables(size_bytes));
  return steps;
}

class Spaces {
public:
  explicit Spaces(std::uint64_t end) : end_(end) {}

  void add(std::uint64_t first, std::uint64_t end)
  {
    if (first < end)
      set_ += boost::icl::interval<std::uint64_t>::right_open(first, std::min(end, end_));
  }

  std::vector<ByteRange> ranges() const
  {
    std::vector<ByteRange> result;
    for (const auto& each : set_)
      result.push_back({each.lower(), each.upper() - each.lower()});
    return result;
  }

private:
  std::uint64_t end_;
  boost::icl::interval_set<std::uint64_t> set_;
};

/// For sectors of 512 bytes it may lie behind an array or before one; for those of 4096, LBA 0 holds the other header.
std::optional<Structure> find_other_header(const Disk& disk)
{
  constexpr ByteRange place{4096, 512};
  if (place.end() > disk.size_bytes() || disk.table().sector_size_bytes != place.size)
    return std::nullopt;
  const Piece piece = disk.piece(place);
  if (!piece.is_data() || piece.range != place)
    return std::nullopt;
  std::vector<std::byte> bytes = read_bytes(disk, place);
  if (!Header(bytes).has_signature())
    return std::nullopt;
  return Structure{Role::content, place.offset, std::move(bytes)};
}

}  // namespace

std::vector<std::vector<const Structure*>> RestorePlan::table_steps() const
{
  std::vector<const Structure*> last{&gpt.mbr};
  if (other_header)
    last.push_back(&*other_header);
  return {{&gpt.backup_array, &gpt.backup_header}, {&gpt.primary_array, &gpt.primary_header}, last};
}

RestorePlan plan_restore(const Disk& disk, const TargetBefore& before, FreeSpace free_space)
{
  RestorePlan plan{.gpt = gpt_of(disk),
                   .wipe_steps = wipe_steps(disk.size_bytes(), before),
                   .stale_signatures = {},
                   .needs_space = {},
                   .not_filled = {},
                   .other_header = find_other_header(disk)};
  if (plan.other_header)
    plan.not_filled.push_back(plan.other_header->range());
  const ByteRange free = disk.layout().free_space;
  for (const Signature& signature : before.signatures)
    if (overlap(signature.range, free))
      plan.stale_signatures.push_back(signature);

  Spaces spaces(disk.size_bytes());
  spaces.add(0, kUsualHeadBytes);
  spaces.add(disk.size_bytes() - std::min(kUsualTailBytes, disk.size_bytes()), disk.size_bytes());
  for (const Signature& signature : plan.stale_signatures)
    spaces.add(signature.range.offset, signature.range.end());
  for_each_piece(disk, [&](const Piece& piece) {
    const ByteRange whole_blocks = aligned_part(piece.range, kDirectAlignment);
    if (piece.is_data() || is_table(piece.role)) {
      spaces.add(piece.range.offset, piece.range.end());
    } else if (before.exists) {
      spaces.add(piece.range.offset, whole_blocks.offset);
      spaces.add(whole_blocks.end(), piece.range.end());
    }
    if (is_table(piece.role) || (piece.is_free_space() && free_space == FreeSpace::keep) ||
        (!before.exists && !piece.is_data()))
      plan.not_filled.push_back(piece.range);
  });
  plan.needs_space = spaces.ranges();
  return plan;
}

}  // namespace gptgrow
