// SPDX-License-Identifier: BSD-3-Clause
// A disk that was read once.
#pragma once

#include "core/disk/disk.h"
#include "core/stream/checksums.h"
#include "core/stream/head_image.h"

namespace gptgrow {

/// A disk that has passed. What may be of a table stays in memory, all else is on the disk that it was written to; zeros are
/// holes.
class StreamedImage : public Source {
public:
  struct Held {
    std::uint64_t offset = 0;
    std::vector<std::byte> bytes;

    std::uint64_t end() const { return offset + bytes.size(); }
  };

  struct Parts {
    std::uint64_t size_bytes = 0;
    std::vector<Held> held;        // by offset
    std::vector<ByteRange> zeros;  // by offset
    Checksums checksums;           // of all other bytes, as far as `written_to` goes, in chunks
  };

  /// `written_to` must outlive it.
  StreamedImage(std::shared_ptr<const HeadImage> head, Parts parts, const Source& written_to);

  /// Of the chunks that first_chunk() makes of data that is not held.
  const Checksums& checksums() const { return parts_.checksums; }
  bool is_held(std::uint64_t offset) const;

  /// Checksums were taken of chunks as they came; `disk`, which is made of this, cuts them elsewhere near its table. Reads such
  /// chunks from the target, checks them, and takes new ones. To be called before any table is written. Where what was read is
  /// not there: throws Error, or leaves the old checksum, which is no chunk's.
  enum class WhenChanged { refuse, leave };
  void settle_checksums(const Disk& disk, WhenChanged when_changed);

  const std::string& name() const override { return head_->name(); }
  std::uint64_t size_bytes() const override { return parts_.size_bytes; }
  void read(std::uint64_t offset, std::span<std::byte> buffer) const override;

  /// Ends where what is held, or zero, begins and ends.
  Extent extent(ByteRange range) const override;

  std::vector<const Source*> stored_in() const override { return head_->stored_in(); }
  std::string version() const override { return head_->version(); }
  std::optional<timespec> modified() const override { return head_->modified(); }

private:
  ByteRange chunk_at(std::uint64_t offset) const;
  std::optional<std::vector<std::byte>> read_checked(ByteRange range, WhenChanged when_changed) const;

  std::shared_ptr<const HeadImage> head_;
  Parts parts_;
  const Source& written_to_;
};

}  // namespace gptgrow
