// SPDX-License-Identifier: BSD-3-Clause
// How the bytes of a disk that passes are divided. Internal to core/stream.
#pragma once

#include "core/stream/image_stream.h"

namespace gptgrow {

/// Where a table may be, of the disk that passes or of the one that is written, in order of place. No byte of these is
/// written before all of the disk is there.
std::vector<ByteRange> places_to_hold(const HeadImage& head, std::uint64_t target_size_bytes);

/// How many of the last bytes behind the end of the target are kept: a backup may be there.
std::uint64_t kept_behind_target(const HeadImage& head);

class Receiving {
public:
  Receiving(std::vector<ByteRange> held, std::uint64_t target_size_bytes, std::uint64_t kept_behind_target, Sink& sink);

  /// How much was read.
  std::uint64_t offset() const { return parts_.size_bytes; }

  /// Reads a chunk and puts it where it belongs. False: there was less of it, the disk ends.
  bool step(const ReadNext& read);

  /// All that was read. Not to be called twice.
  StreamedImage::Parts finish();

private:
  bool hold(const ByteRange& place, const ReadNext& read);
  bool keep(const ReadNext& read);
  bool pass(ByteRange range, const ReadNext& read);
  void put(ByteRange range, std::span<const std::byte> bytes);
  void end_zeros();
  void end_behind();

  std::vector<ByteRange> places_;
  std::size_t next_place_ = 0;
  std::uint64_t target_size_bytes_, kept_behind_target_;
  Sink& sink_;
  StreamedImage::Parts parts_;
  StreamedImage::Held behind_;  // the last of what lies behind the end of the target
  ByteRange zeros_;             // not in the sink yet
};

}  // namespace gptgrow
