// SPDX-License-Identifier: BSD-3-Clause
#include "core/stream/image_stream.h"

#include "core/error.h"
#include "core/gpt/table.h"
#include "core/nbd/uri.h"
#include "core/source/file_source.h"
#include "core/stream/receiving.h"

#include <algorithm>

namespace gptgrow {

namespace {

constexpr std::size_t kPeekBytes = 2 * 4096;  // with the primary header, for sectors of either size

const std::atomic<bool> kNever = false;

}  // namespace

std::shared_ptr<ImageStream> open_stream(const std::string& name, const Reading& reading, const std::string& sha256)
{
  if (reading.table == TableChoice::backup)
    refuse("{}: the backup GPT is at its end, and it is read once; unpack it to a file", name);
  return std::make_shared<ImageStream>(name, reading, sha256);
}

bool is_stream(const std::string& name)
{
  if (name == "-")
    return true;
  if (nbd::is_uri(name))
    return false;
  const FileSource file(name);
  const std::vector<std::byte> head = read_bytes(file, clip({0, kPeekBytes}, file.size_bytes()));
  return !has_valid_header(head) && compression_of(head) != Compression::none;
}

ImageStream::ImageStream(const std::string& name, const Reading& reading, const std::string& sha256)
    : input_(Input::open(name, reading.format)), peeked_(kPeekBytes), stop_(&kNever), sha256_(sha256)
{
  if (!sha256_.empty()) {
    sha256_of_file_.emplace();
    sha256_of_disk_.emplace();
  }
  std::size_t count = 0;
  for (std::size_t more = 1; more != 0 && count < peeked_.size(); count += more) {
    more = input_->read(std::span(peeked_).subspan(count), *stop_);
    if (sha256_of_file_)
      sha256_of_file_->add(std::span(peeked_).subspan(count, more));
  }
  peeked_.resize(count);
  if (!has_valid_header(peeked_))
    compression_ = compression_of(peeked_);
  decoder_ =
      make_decoder(compression_, input_->name(), [this](std::span<std::byte> buffer) { return read_input(buffer); });
  head_ = std::make_shared<const HeadImage>(
      *input_, compression_, [this](std::span<std::byte> buffer) { return decoder_->read(buffer); },
      reading.sector_size_bytes);
}

std::size_t ImageStream::read_input(std::span<std::byte> buffer)
{
  if (!peeked_.empty()) {
    const std::size_t count = std::min(peeked_.size(), buffer.size());
    std::copy_n(peeked_.begin(), count, buffer.begin());
    peeked_.erase(peeked_.begin(), peeked_.begin() + static_cast<std::ptrdiff_t>(count));
    return count;
  }
  const std::size_t count = input_->read(buffer, *stop_);
  if (sha256_of_file_)
    sha256_of_file_->add(buffer.first(count));
  return count;
}

/// The disk from its first byte on: what was read of it already comes first.
std::size_t ImageStream::read_disk(std::span<std::byte> buffer)
{
  const auto head = head_->head().subspan(head_given_);
  const std::size_t known = std::min(head.size(), buffer.size());
  std::copy_n(head.begin(), known, buffer.begin());
  head_given_ += known;
  const std::size_t count = known + decoder_->read(buffer.subspan(known));
  if (sha256_of_disk_)
    sha256_of_disk_->add(buffer.first(count));
  return count;
}

std::shared_ptr<StreamedImage> ImageStream::receive(const Source& target, Sink& sink, const std::atomic<bool>& stop)
try {
  stop_ = &stop;
  Receiving receiving(places_to_hold(*head_, target.size_bytes()), target.size_bytes(), kept_behind_target(*head_),
                      sink);
  const auto read = [&](std::span<std::byte> buffer) {
    if (stop)
      throw Stopped();
    const std::size_t count = read_disk(buffer);
    sink.progress(input_->offset(), receiving.offset() + count);
    return count;
  };
  while (receiving.step(read)) {}
  check_sha256();
  StreamedImage::Parts parts = receiving.finish();
  parts.checksums = sink.finish();
  return std::make_shared<StreamedImage>(head_, std::move(parts), target);
} catch (const Stopped&) {
  (void)sink.finish();
  return nullptr;
}

void ImageStream::check_sha256()
{
  if (sha256_.empty())
    return;
  const std::string of_file = sha256_of_file_->hex(), of_disk = sha256_of_disk_->hex();
  if (sha256_ == of_file || sha256_ == of_disk)
    return;
  refuse("{}: SHA-256 {}{}, expected {}: it is another image, or damaged", input_->name(), of_file,
         compression_ == Compression::none ? "" : fmt::format(", of the disk inside {}", of_disk), sha256_);
}

}  // namespace gptgrow
