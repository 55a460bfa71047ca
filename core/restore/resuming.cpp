// SPDX-License-Identifier: BSD-3-Clause
#include "core/restore/resuming.h"

#include "core/error.h"
#include "core/restore/image_state.h"
#include "core/restore/unfinished_mark.h"
#include "core/target/target.h"

#include <boost/uuid/random_generator.hpp>

#include <algorithm>

namespace gptgrow {

RestoreIdentity identity_of(const Disk& disk, const std::string& state, const Gpt& gpt, FreeSpace free_space)
{
  std::vector<std::byte> table;
  for (const Structure* structure : gpt.all())
    table.insert(table.end(), structure->bytes.begin(), structure->bytes.end());
  return {guid_text(boost::uuids::random_generator()()), image_identity(disk, state), disk.size_bytes(), crc32(table),
          to_string(free_space)};
}

void check_resumable(const ProgressMap& map, const std::string& map_path, const RestoreIdentity& identity,
                     const Gpt& gpt, const Source* target, const std::string& target_name,
                     const std::string& image_name)
{
  const auto refuse_map = [&](const std::string& why) {
    refuse("{}: is the map of another restore: {}; name another map, or delete this one to begin anew", map_path, why);
  };
  const RestoreIdentity& then = map.identity();
  if (then.size_bytes != identity.size_bytes)
    refuse_map(fmt::format("to a disk of {} bytes, {} has {}", then.size_bytes, target_name, identity.size_bytes));
  if (then.free_space != identity.free_space)
    refuse_map(fmt::format("with free space {}", then.free_space));
  if (then.image != identity.image || then.table_crc32 != identity.table_crc32)
    refuse_map(
        fmt::format("{} was another image, or has been changed since, or was read with other options", image_name));
  if (!target)
    refuse_map(fmt::format("{} does not exist", target_name));

  const std::vector<std::byte> found = read_bytes(*target, {gpt.primary_header.offset, kAtomicBytes});
  const std::vector<std::byte> first = read_bytes(*target, {gpt.mbr.offset, kAtomicBytes});
  const auto holds = [](const std::vector<std::byte>& bytes, const Structure& structure) {
    return std::ranges::equal(bytes, std::span(structure.bytes).first(kAtomicBytes));
  };
  const bool is_unfinished = found == unfinished_mark(then.id) && is_zero(first);
  const bool table_is_being_written = map.first_missing(0) == identity.size_bytes && holds(found, gpt.primary_header) &&
                                      (is_zero(first) || holds(first, gpt.mbr));
  if (!is_unfinished && !table_is_being_written)
    refuse_map(fmt::format("{} does not hold what that one left there, at bytes 0 and {}", target_name,
                           gpt.primary_header.offset));
}

std::uint64_t bytes_done(const ProgressMap& map, const Disk& disk, FreeSpace free_space)
{
  std::uint64_t bytes = 0;
  for_each_piece(disk, [&](const Piece& piece) {
    const bool is_zeroed = piece.is_free_space() && free_space == FreeSpace::zero;
    if (!piece.is_data() && !piece.needs_zeros() && !is_zeroed)
      return;
    bytes += piece.range.size;
    for_each_missing(map, piece.range, [&](ByteRange part) { bytes -= part.size; });
  });
  return bytes;
}

}  // namespace gptgrow
