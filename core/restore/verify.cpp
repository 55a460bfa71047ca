// SPDX-License-Identifier: BSD-3-Clause
#include "core/restore/verify.h"

#include "core/disk/disk.h"
#include "core/disk/size.h"
#include "core/error.h"
#include "core/restore/transfer.h"
#include "core/restore/unfinished_mark.h"
#include "core/target/direct.h"

namespace gptgrow {

namespace {

std::optional<Comparison> diagnose(const Source& image, const Source& target,
                                   std::optional<std::uint32_t> sector_size_bytes)
{
  try {
    return compare(borrowed(image), borrowed(target), sector_size_bytes);
  } catch (const Error&) {
    return std::nullopt;  // no table to speak of
  }
}

bool is_there(const Disk& disk, const Source& target, const TablePlace& place)
{
  for (ByteRange rest = place.range; rest.size != 0;) {
    const ByteRange chunk = first_chunk(rest);
    if (read_bytes(disk, chunk) != read_bytes(target, chunk))
      return false;
    rest = {chunk.end(), rest.size - chunk.size};
  }
  return true;
}

/// From the order in which a restore writes: data, backup, primary, MBR.
void look_for_cut_off(const Disk& disk, const Source& target, Verification& result)
{
  const auto [mbr, primary_header, primary_array, backup_array, backup_header] = table_places(disk);
  const bool backup_is_there = is_there(disk, target, backup_array) && is_there(disk, target, backup_header);
  result.cut_off_id = unfinished_id(read_bytes(target, {primary_header.range.offset, kAtomicBytes}));
  if (!result.cut_off_id.empty())
    result.cut_off = backup_is_there ? CutOff::in_table : CutOff::in_data;
  else if (backup_is_there && is_there(disk, target, primary_header) && is_there(disk, target, primary_array) &&
           is_zero(read_bytes(target, mbr.range)) && !is_zero(read_bytes(disk, mbr.range)))
    result.cut_off = CutOff::in_table;
}

Difference difference_at(const Disk& disk, ByteRange range, std::byte found)
{
  const std::uint64_t offset = range.offset;
  Difference difference{offset, range.size, disk.piece({offset, 1}), std::nullopt, found, {}};
  disk.read(offset, std::span(&difference.expected, 1));
  for (const Entry& entry : disk.used_entries()) {
    const ByteRange partition = bytes_of(entry, disk.table().sector_size_bytes, disk.size_bytes());
    if (partition.offset <= offset && offset < partition.end() && !difference.entry)
      difference.entry = entry;
  }
  return difference;
}

/// Chunk by chunk; the table is looked at as a whole.
bool is_compared(const Piece& piece, const VerifyOptions& options)
{
  return !is_table(piece.role) && (!piece.is_free_space() || options.free_space);
}

/// Hands out what is to be compared, in order of place.
class Work {
public:
  Work(const Disk& disk, const Source& target, const VerifyOptions& options, Monitor& monitor)
      : disk_(disk), target_(target), options_(options), monitor_(monitor)
  {
  }

  std::optional<Piece> next()
  {
    while (rest_.range.size == 0 && !monitor_.stop && rest_.range.offset < disk_.size_bytes())
      advance();
    if (rest_.range.size == 0 || monitor_.stop)
      return std::nullopt;
    const Piece chunk = first_chunk(rest_);
    rest_.range = {chunk.range.end(), rest_.range.size - chunk.range.size};
    return chunk;
  }

private:
  /// To the next piece, or past one of which nothing has to be read.
  void advance()
  {
    const std::uint64_t offset = rest_.range.offset;
    rest_ = disk_.piece({offset, disk_.size_bytes() - offset});
    if (!is_compared(rest_, options_)) {
      rest_.range = {rest_.range.end(), 0};
    } else if (!rest_.is_data()) {
      const Extent extent = target_.extent(rest_.range);
      rest_.range.size = extent.size;
      if (extent.hole) {
        monitor_.done_bytes += extent.size;
        rest_.range = {rest_.range.end(), 0};
      }
    }
  }

  const Disk& disk_;
  const Source& target_;
  const VerifyOptions& options_;
  Monitor& monitor_;
  Piece rest_;
};

}  // namespace

Verification verify(const Disk& disk, const DirectSource& target, const VerifyOptions& options, Monitor& monitor)
{
  if (target.size_bytes() != disk.size_bytes())
    refuse("{}: {}, expected {}", target.name(), format_size(target.size_bytes()), format_size(disk.size_bytes()));
  const StopsWaiting stops(disk, monitor);
  target.forget();

  Verification result;
  result.is_table_same =
      std::ranges::all_of(table_places(disk), [&](const TablePlace& place) { return is_there(disk, target, place); });
  result.past_cache = target.is_past_cache();
  if (!result.is_table_same)
    look_for_cut_off(disk, target, result);
  if (!result.is_table_same && !result.cut_off)
    result.comparison = diagnose(disk.image(), target, disk.table().sector_size_bytes);
  if (!options.data || result.cut_off == CutOff::in_data)
    return result;
  result.data_compared = true;

  std::uint64_t total_bytes = 0;
  for_each_piece(disk, [&](const Piece& piece) {
    if (is_compared(piece, options))
      total_bytes += piece.range.size;
  });
  monitor.begin(Monitor::Phase::verifying, total_bytes);
  Work work(disk, target, options, monitor);
  const auto next = [&] { return work.next(); };
  const auto done = [&](const Piece& chunk) { monitor.done_bytes += chunk.range.size; };
  const auto offset = Transfer(disk, target).compare(next, done, options.checksums);
  if (offset) {
    const Piece rest = disk.piece({*offset, disk.size_bytes() - *offset});
    const bool by_checksum = options.checksums && options.checksums->has(*offset);
    result.difference = difference_at(disk, by_checksum ? first_chunk(rest.range) : ByteRange{*offset, 1},
                                      read_bytes(target, {*offset, 1}).front());
  }
  result.compared_bytes = monitor.done_bytes;
  result.stopped = monitor.stop && !offset;
  return result;
}

}  // namespace gptgrow
