// SPDX-License-Identifier: BSD-3-Clause
#include "core/restore/read_once.h"

#include "core/target/chunk.h"

#include <algorithm>

namespace gptgrow {

namespace {

constexpr std::size_t kMostKept = 32;

/// Writes nothing. Keeps what is not on the target: some of it is where a table is, and that is known at the end only.
class ComparingSink : public Sink {
public:
  ComparingSink(const Source& target, Monitor& monitor) : target_(target), monitor_(monitor) {}

  std::span<std::byte> buffer() override { return {buffer_.get(), kChunkBytes}; }

  bool write(ByteRange range, std::span<const std::byte> bytes) override
  {
    if (kept_ != kMostKept) {
      const std::span found = std::span(found_.get(), range.size);
      target_.read(range.offset, found);
      if (!std::ranges::equal(found, bytes)) {
        ++kept_;
        return true;
      }
    }
    checksums_.put(range.offset, checksum(bytes));
    return false;
  }

  void zero(ByteRange) override {}

  void progress(std::uint64_t input_bytes, std::uint64_t disk_bytes) override
  {
    monitor_.done_bytes = input_bytes;
    monitor_.made_bytes = disk_bytes;
  }

  Checksums finish() override { return std::move(checksums_); }

private:
  const Source& target_;
  Monitor& monitor_;
  AlignedMemory buffer_ = make_aligned(kChunkBytes), found_ = make_aligned(kChunkBytes);
  std::size_t kept_ = 0;
  Checksums checksums_;
};

}  // namespace

std::shared_ptr<StreamedImage> read_once(ImageStream& stream, const DirectSource& target, Monitor& monitor)
{
  target.forget();
  const auto file = stream.input().file();
  monitor.begin(Monitor::Phase::reading, file ? file->size_bytes() : 0);
  ComparingSink sink(target, monitor);
  return stream.receive(target, sink, monitor.stop);
}

}  // namespace gptgrow
