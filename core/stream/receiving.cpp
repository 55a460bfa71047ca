// SPDX-License-Identifier: BSD-3-Clause
#include "core/stream/receiving.h"

#include "core/gpt/gpt.h"
#include "core/gpt/table.h"
#include "core/target/chunk.h"

#include <boost/icl/interval_set.hpp>

#include <algorithm>

namespace gptgrow {

namespace {

constexpr std::uint64_t kBehindBytes = 1024 * 1024;
constexpr std::uint64_t kZerosAtOnce = 64 * 1024 * 1024;  // it can be stopped between two

}  // namespace

std::vector<ByteRange> places_to_hold(const HeadImage& head, std::uint64_t target_size_bytes)
{
  using Interval = boost::icl::interval<std::uint64_t>;
  const Header& primary = head.primary();
  const std::uint32_t sector = primary.sector_size_bytes();
  const std::uint64_t array_bytes = primary.array_sectors() * sector;
  boost::icl::interval_set<std::uint64_t> places;
  places += Interval::right_open(
      0, std::min(std::max<std::uint64_t>(head.head().size(), kUsualHeadBytes), target_size_bytes));
  const std::uint64_t alternate = primary.alternate_lba().value, usable = primary.last_usable_lba().value;
  const std::uint64_t most = kMaxArraySizeBytes / sector;
  const std::uint64_t first = std::max(std::min(usable + 1, alternate - std::min(alternate, primary.array_sectors())),
                                       alternate - std::min(alternate, most));
  places += Interval::right_open(first * sector, (alternate + 1) * sector);
  const std::uint64_t end_bytes = std::max({kUsualTailBytes, array_bytes + sector, (alternate + 1 - first) * sector});
  places += Interval::right_open(target_size_bytes - std::min(target_size_bytes, end_bytes), target_size_bytes);
  std::vector<ByteRange> ranges;
  for (const auto& place : places)
    ranges.push_back({place.lower(), place.upper() - place.lower()});
  return ranges;
}

std::uint64_t kept_behind_target(const HeadImage& head)
{
  return head.primary().array_sectors() * head.primary().sector_size_bytes() + kBehindBytes;
}

Receiving::Receiving(std::vector<ByteRange> held, std::uint64_t target_size_bytes, std::uint64_t kept_behind_target,
                     Sink& sink)
    : places_(std::move(held)),
      target_size_bytes_(target_size_bytes),
      kept_behind_target_(kept_behind_target),
      sink_(sink)
{
}

bool Receiving::step(const ReadNext& read)
{
  while (next_place_ < places_.size() && places_[next_place_].end() <= offset())
    ++next_place_;
  const ByteRange place = next_place_ < places_.size() ? places_[next_place_] : ByteRange{UINT64_MAX, 0};
  if (place.offset <= offset())
    return hold(place, read);
  if (offset() < target_size_bytes_)
    return pass(first_chunk({offset(), std::min(place.offset, target_size_bytes_) - offset()}), read);
  return keep(read);
}

bool Receiving::hold(const ByteRange& place, const ReadNext& read)
{
  end_behind();
  if (parts_.held.empty() || parts_.held.back().end() != offset())
    parts_.held.push_back({offset(), {}});
  std::vector<std::byte>& bytes = parts_.held.back().bytes;
  const std::size_t had = bytes.size(), wanted = std::min<std::uint64_t>(place.end() - offset(), kChunkBytes);
  bytes.resize(had + wanted);
  const std::size_t count = read(std::span(bytes).subspan(had));
  bytes.resize(had + count);
  parts_.size_bytes += count;
  return count == wanted;
}

bool Receiving::keep(const ReadNext& read)
{
  const ByteRange next{offset(), kChunkBytes};
  const std::uint64_t wanted =
      next_place_ < places_.size() ? std::min(next.size, places_[next_place_].offset - next.offset) : next.size;
  if (behind_.bytes.empty())
    behind_.offset = offset();
  const std::size_t had = behind_.bytes.size();
  behind_.bytes.resize(had + wanted);
  const std::size_t count = read(std::span(behind_.bytes).subspan(had));
  behind_.bytes.resize(had + count);
  parts_.size_bytes += count;
  if (behind_.bytes.size() > 2 * kept_behind_target_) {
    const std::uint64_t old = behind_.bytes.size() - kept_behind_target_;
    behind_.bytes.erase(behind_.bytes.begin(), behind_.bytes.begin() + static_cast<std::ptrdiff_t>(old));
    behind_.offset += old;
  }
  return count == wanted;
}

bool Receiving::pass(ByteRange range, const ReadNext& read)
{
  const std::span<std::byte> buffer = sink_.buffer().first(range.size);
  const std::size_t count = read(buffer);
  if (count == range.size) {
    put(range, buffer);
  } else {
    // The chunks of what is there.
    const std::vector<std::byte> bytes(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(count));
    for (ByteRange rest{range.offset, count}; rest.size != 0;) {
      const ByteRange part = first_chunk(rest);
      const auto source = std::span(bytes).subspan(part.offset - range.offset, part.size);
      const auto copy = sink_.buffer().first(part.size);
      std::ranges::copy(source, copy.begin());
      put(part, copy);
      rest = {part.end(), rest.size - part.size};
    }
  }
  parts_.size_bytes += count;
  return count == range.size;
}

void Receiving::put(ByteRange range, std::span<const std::byte> bytes)
{
  if (!is_zero(bytes)) {
    end_zeros();
    if (sink_.write(range, bytes))
      parts_.held.push_back({range.offset, {bytes.begin(), bytes.end()}});
    return;
  }
  if (zeros_.end() != range.offset || zeros_.size >= kZerosAtOnce)
    end_zeros();
  if (zeros_.size == 0)
    zeros_.offset = range.offset;
  zeros_.size += range.size;
}

void Receiving::end_zeros()
{
  if (zeros_.size == 0)
    return;
  sink_.zero(zeros_);
  if (!parts_.zeros.empty() && parts_.zeros.back().end() == zeros_.offset)
    parts_.zeros.back().size += zeros_.size;
  else
    parts_.zeros.push_back(zeros_);
  zeros_ = {};
}

void Receiving::end_behind()
{
  if (!behind_.bytes.empty())
    parts_.held.push_back(std::move(behind_));
  behind_ = {};
}

StreamedImage::Parts Receiving::finish()
{
  end_zeros();
  end_behind();
  return std::move(parts_);
}

}  // namespace gptgrow
