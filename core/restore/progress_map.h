// SPDX-License-Identifier: BSD-3-Clause
// How far a restore has come, in a file that outlives it: a mapfile as GNU ddrescue writes them, so that its tools show
// it. A comment says which restore it belongs to.
#pragma once

#include "core/disk/disk.h"

#include <boost/icl/interval_set.hpp>

namespace gptgrow {

/// Of the id of a restore: a UUID.
inline constexpr std::size_t kIdLength = 36;

/// What makes a restore the same one. The id is also on the target while the restore is unfinished.
struct RestoreIdentity {
  std::string id;
  std::string image;              // its size, and what tells that it was changed since: see image_state.h
  std::uint64_t size_bytes = 0;   // of the served disk
  std::uint32_t table_crc32 = 0;  // of the served table, which the options for reading the image change too
  std::string free_space;         // what becomes of it
};

/// Bytes that are written. In a file there are only such as were flushed before it was saved.
class ProgressMap {
public:
  explicit ProgressMap(RestoreIdentity identity) : identity_(std::move(identity)) {}

  const RestoreIdentity& identity() const { return identity_; }

  void add(ByteRange range);

  /// Something else is to come there after all.
  void remove(ByteRange range);

  /// Nothing is done.
  bool is_empty() const { return done_.empty(); }

  /// The first byte at or behind `offset` that is not done; size_bytes when all are.
  std::uint64_t first_missing(std::uint64_t offset) const;

  /// The first byte behind `offset`, which is not done, that is; size_bytes when none is.
  std::uint64_t missing_end(std::uint64_t offset) const;

private:
  friend std::string map_text(const ProgressMap&);

  RestoreIdentity identity_;
  boost::icl::interval_set<std::uint64_t> done_;
};

/// Calls `use` for the parts of `range` that are not done, in order of place.
template <typename Use>
void for_each_missing(const ProgressMap& map, ByteRange range, Use use)
{
  for (std::uint64_t at = map.first_missing(range.offset); at < range.end(); at = map.first_missing(at)) {
    const std::uint64_t end = std::min(map.missing_end(at), range.end());
    use(ByteRange{at, end - at});
    at = end;
  }
}

/// Replaces the file at once; durable, with its name, when this returns.
void save_map(const std::string& path, const ProgressMap& map);

/// Throws Error when the file is no map of a restore, or damaged; none when there is no file.
std::optional<ProgressMap> load_map(const std::string& path);

/// What is in such a file. `path` is for messages.
std::string map_text(const ProgressMap& map);
ProgressMap parse_map(const std::string& path, std::string text);

}  // namespace gptgrow
