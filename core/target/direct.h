// SPDX-License-Identifier: BSD-3-Clause
// Past the kernel's page cache: what a medium holds, not what is remembered of it.
#pragma once

#include "core/source/file_source.h"

namespace gptgrow {

/// What every disk and file system takes for reads and writes past the page cache: place, length and memory.
inline constexpr std::size_t kDirectAlignment = 4096;

/// A file or block device whose medium is read; where it cannot be used past the page cache, that is asked to forget.
class DirectSource : public FileSource {
public:
  /// Opens `path` read-only.
  explicit DirectSource(const std::string& path) : DirectSource(FileSource(path)) {}

  /// Takes over what is open, for the same kind of use.
  explicit DirectSource(FileSource file);

  void read(std::uint64_t offset, std::span<std::byte> buffer) const override;

  /// The same open file past the page cache; -1 where it cannot be used so.
  int direct_fd() const { return direct_.get(); }

  /// Whether read() reads the medium; not where a loop device below reads its file through the cache.
  bool is_past_cache() const;

  /// Makes the page cache forget it all, so that what cannot be read past that comes from the medium too.
  void forget() const;

private:
  FileDescriptor direct_;
};

}  // namespace gptgrow
