// SPDX-License-Identifier: BSD-3-Clause
// An image that is read once: a compressed file, or a pipe.
#pragma once

#include "core/disk/disk.h"
#include "core/stream/checksums.h"
#include "core/stream/decoder.h"
#include "core/stream/head_image.h"
#include "core/stream/sha256.h"

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

  /// Before any of what was written is overwritten: cuts the checksums as the pieces of `disk`, which is made of this, are cut.
  /// Throws Error when what was written is not there any more.
  void settle_checksums(const Disk& disk);

  const std::string& name() const override { return head_->name(); }
  std::uint64_t size_bytes() const override { return parts_.size_bytes; }
  void read(std::uint64_t offset, std::span<std::byte> buffer) const override;

  /// Ends where what is held, or zero, begins and ends.
  Extent extent(ByteRange range) const override;

  const Source& stored_in() const override { return head_->stored_in(); }
  std::string version() const override { return head_->version(); }
  std::optional<timespec> modified() const override { return head_->modified(); }

private:
  ByteRange chunk_at(std::uint64_t offset) const;
  std::vector<std::byte> read_checked(ByteRange range) const;

  std::shared_ptr<const HeadImage> head_;
  Parts parts_;
  const Source& written_to_;
};

/// What becomes of a disk while it passes.
class Sink {
public:
  virtual ~Sink() = default;

  /// Memory for a chunk, the same until write() has taken it.
  virtual std::span<std::byte> buffer() = 0;

  /// `bytes`, in buffer(), belong to `range`. Returns whether they are to be kept in memory.
  virtual bool write(ByteRange range, std::span<const std::byte> bytes) = 0;

  /// `range` is zeros. It may be long.
  virtual void zero(ByteRange range) = 0;

  /// How many bytes were read of the file or pipe, and of the disk that comes out of it.
  virtual void progress(std::uint64_t input_bytes, std::uint64_t disk_bytes) = 0;
};

class ImageStream {
public:
  /// Opens `name`, "-" is standard input, and reads the head of its disk. Throws Error where that has no valid primary table,
  /// or is in no form that can be read. An empty `sha256`: it is not computed.
  ImageStream(const std::string& name, std::optional<std::uint32_t> sector_size_bytes, const std::string& sha256);

  const std::shared_ptr<const HeadImage>& head() const { return head_; }
  Compression compression() const { return compression_; }
  const Input& input() const { return *input_; }

  /// Reads all of it. What is held, and what lies behind the end of `target`, does not get into the `sink`. Nothing: `stop`
  /// became true. Throws Error for a file that is damaged, or has not the checksum. Not to be called twice.
  std::shared_ptr<StreamedImage> receive(const Source& target, Sink& sink, const std::atomic<bool>& stop);

private:
  std::size_t read_input(std::span<std::byte> buffer);
  std::size_t read_disk(std::span<std::byte> buffer);
  void check_sha256();

  std::unique_ptr<Input> input_;
  std::vector<std::byte> peeked_;
  const std::atomic<bool>* stop_;
  Compression compression_ = Compression::none;
  std::unique_ptr<Decoder> decoder_;
  std::string sha256_;
  std::optional<Sha256> sha256_of_file_, sha256_of_disk_;
  std::shared_ptr<const HeadImage> head_;
  std::size_t head_given_ = 0;
};

/// Throws Error, also, where `reading` asks for what would have to be read twice.
std::shared_ptr<ImageStream> open_stream(const std::string& name, const Reading& reading, const std::string& sha256);

/// Whether `name` is to be read once: "-", or a compressed file. A disk with a valid GPT is none, whatever its first bytes are.
bool is_stream(const std::string& name);

}  // namespace gptgrow
