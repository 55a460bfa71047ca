// SPDX-License-Identifier: BSD-3-Clause
// An image that is read once: a compressed file, or a pipe.
#pragma once

#include "core/stream/checksums.h"
#include "core/stream/decoder.h"
#include "core/stream/sha256.h"
#include "core/stream/streamed_image.h"

namespace gptgrow {

/// What becomes of a disk while it passes.
class Sink {
public:
  virtual ~Sink() = default;

  /// Memory for a chunk, the same until write() has taken it.
  virtual std::span<std::byte> buffer() = 0;

  /// `bytes`, in buffer(), belong to `range`. Returns whether StreamedImage is to keep them in memory: what is not written
  /// cannot be read from the target.
  virtual bool write(ByteRange range, std::span<const std::byte> bytes) = 0;

  /// `range` is zeros. It may be long.
  virtual void zero(ByteRange range) = 0;

  /// How many bytes were read of the file or pipe, and of the disk that comes out of it.
  virtual void progress(std::uint64_t input_bytes, std::uint64_t disk_bytes) = 0;

  /// Waits for all that is on its way. The checksums of what write() was given and is not kept. Throws what failed.
  virtual Checksums finish() = 0;
};

class ImageStream {
public:
  /// Opens `name`, "-" is standard input, and reads the head of its disk. Throws Error where that has no valid primary table,
  /// or is in no form that can be read. An empty `sha256`: it is not computed.
  ImageStream(const std::string& name, const Reading& reading, const std::string& sha256);

  const std::shared_ptr<const HeadImage>& head() const { return head_; }
  const Input& input() const { return *input_; }

  /// Reads all of it. What is kept in memory (where a table may be), and what lies behind the end of `target`, does not get
  /// into the `sink`. Nothing: `stop` became true. Throws Error for a file that is damaged, or that is neither itself nor
  /// unpacked what the SHA-256 is of. Not to be called twice.
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
