// SPDX-License-Identifier: BSD-3-Clause
// A pipe that holds bytes of a file, without copying them, until it is certain that all are there.
#pragma once

#include "core/source/file_descriptor.h"
#include "core/units.h"

namespace gptgrow {

/// For one thread.
class SplicePipe {
public:
  /// The most that fill() takes.
  static constexpr std::uint64_t kMaxSizeBytes = 256 * 1024;

  /// Puts the bytes `range` of the file `fd` into the pipe, which must be empty. False: they cannot be spliced, all of
  /// them, and the pipe is empty; why is for a plain read to find out. Does not throw.
  bool fill(int fd, ByteRange range) noexcept;

  /// Where they can be read from, without blocking.
  int read_end() const { return read_end_.get(); }

  /// Forgets what is in the pipe.
  void clear() noexcept;

private:
  bool open() noexcept;

  FileDescriptor read_end_;
  FileDescriptor write_end_;
  bool unavailable_ = false;  // this process may have no pipe that is large enough
};

}  // namespace gptgrow
