// SPDX-License-Identifier: BSD-3-Clause
// What bytes are read from: an image, the disk that is served of it, a target.
#pragma once

#include "core/units.h"

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <time.h>

namespace gptgrow {

/// Bytes that are all data, or all a hole (they read as zeros).
struct Extent {
  std::uint64_t size = 0;
  bool hole = false;
};

/// Where bytes of a source lie in an open file, which stays open as long as the source is there.
struct FileRange {
  int fd = -1;
  std::uint64_t offset = 0;
};

/// Every member may be called from several threads at once. What fails is an exception: Error for what is refused,
/// std::system_error for failed system calls.
class Source {
public:
  virtual ~Source() = default;

  /// For messages: the path, or whatever a person calls it by.
  virtual const std::string& name() const = 0;

  virtual std::uint64_t size_bytes() const = 0;

  /// The logical sector size, where it is a block device; 0: it is none.
  virtual std::uint32_t device_sector_size_bytes() const { return 0; }

  /// Fills `buffer` with the bytes at `offset`, or throws; never fewer, never zeros for what is lacking. Precondition: they lie
  /// inside size_bytes().
  virtual void read(std::uint64_t offset, std::span<std::byte> buffer) const = 0;

  /// The data or hole that starts at `range.offset`, at most `range.size` bytes of it; the next one may be of the same kind.
  /// Where holes cannot be told, all is data. Precondition: `range` is not empty and lies inside size_bytes().
  virtual Extent extent(ByteRange range) const { return {range.size, false}; }

  /// The bytes will be read soon. Advice only.
  virtual void prefetch(ByteRange) const {}

  /// The place of all bytes of `range` in one file, for those who can do better than read(); none where there is no such file.
  virtual std::optional<FileRange> file_range(ByteRange) const { return std::nullopt; }

  /// What the bytes are in: of what comes out of a compressed file, that file; of a disk in several files, all of them, the one
  /// that it is named by first.
  virtual std::vector<const Source*> stored_in() const { return {this}; }

  /// Tells those who would change the bytes that they are in use, until this object is gone, where there is a way.
  virtual void share() const {}

  /// For a process that forks, and goes on in its child: what a child does not inherit, connections and other processes, is
  /// given up before, and made anew after, by the thread that lives longest. Nothing else may be called in between. The second
  /// throws when the bytes may be others. Where nothing forks, both do no harm.
  virtual void before_fork() const {}
  virtual void after_fork() const {}

  /// From now on, soon after `stop` became true, nothing waits for a server any more: read() throws. Null: it waits as long as
  /// ever. Not for others to call while somebody reads.
  virtual void stop_waiting_when(const std::atomic<bool>*) const {}

  /// A text that is another one when the bytes may be others; empty where that cannot be told without reading them.
  virtual std::string version() const { return {}; }

  /// When the bytes were last changed, where that is known.
  virtual std::optional<timespec> modified() const { return std::nullopt; }
};

/// The bytes of `range`, as Source::read() gives them.
inline std::vector<std::byte> read_bytes(const Source& source, ByteRange range)
{
  std::vector<std::byte> bytes(range.size);
  source.read(range.offset, bytes);
  return bytes;
}

/// A pointer to what somebody else owns, and keeps for as long.
inline std::shared_ptr<const Source> borrowed(const Source& source)
{
  return {std::shared_ptr<const void>(), &source};
}

}  // namespace gptgrow
