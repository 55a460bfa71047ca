// SPDX-License-Identifier: BSD-3-Clause
// Any bytes as a compressed or raw image that is read once, onto a target of any size: either refused, or each byte of the disk
// inside comes once and in its order, and what is kept of it is that disk.
//
// Input: 4 bytes of the target's size, then the file.
#include "core/error.h"
#include "core/gpt/fields.h"
#include "core/stream/image_stream.h"
#include "tests/fuzz/require.h"

#include <algorithm>

#include <sys/mman.h>
#include <unistd.h>

using namespace gptgrow;

namespace {

constexpr std::uint64_t kMaxTargetBytes = 512 << 10;
constexpr std::uint64_t kMaxDiskBytes = 1 << 20;  // what a bomb is stopped at

/// The target, in memory: full of other bytes, as a disk in use is.
class Target : public Source, public Sink {
public:
  explicit Target(std::uint64_t size) : bytes_(size, std::byte{0xa5}) {}

  const std::atomic<bool>& stop() const { return stop_; }

  const std::string& name() const override { return name_; }
  std::uint64_t size_bytes() const override { return bytes_.size(); }
  void read(std::uint64_t offset, std::span<std::byte> buffer) const override
  {
    REQUIRE(offset <= bytes_.size() && buffer.size() <= bytes_.size() - offset);
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), buffer.size(), buffer.begin());
  }

  std::span<std::byte> buffer() override { return buffer_; }

  bool write(ByteRange range, std::span<const std::byte> bytes) override
  {
    REQUIRE(bytes.data() == buffer_.data() && bytes.size() == range.size && !is_zero(bytes));
    std::ranges::copy(bytes, take(range).begin());
    checksums_.put(range.offset, checksum(bytes));
    return false;
  }

  void zero(ByteRange range) override { std::ranges::fill(take(range), std::byte{0}); }

  void progress(std::uint64_t, std::uint64_t disk_bytes) override
  {
    REQUIRE(disk_bytes >= disk_bytes_);
    disk_bytes_ = disk_bytes;
    stop_ = disk_bytes > kMaxDiskBytes;
  }

  Checksums finish() override { return checksums_; }

private:
  /// Where `range` is: behind all that came before.
  std::span<std::byte> take(ByteRange range)
  {
    REQUIRE(range.size > 0 && range.offset >= end_ && range.end() <= bytes_.size());
    end_ = range.end();
    return std::span(bytes_).subspan(range.offset, range.size);
  }

  std::string name_ = "target";
  std::vector<std::byte> bytes_;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(512 << 10);
  std::uint64_t end_ = 0, disk_bytes_ = 0;
  std::atomic<bool> stop_ = false;
  Checksums checksums_;
};

/// The disk inside `file`, as its decoder alone gives it.
std::vector<std::byte> unpacked(std::span<const std::byte> file)
{
  const auto decoder = make_decoder(compression_of(file), "file", [&](std::span<std::byte> buffer) {
    const std::size_t count = std::min<std::size_t>({buffer.size(), file.size(), 1000});
    std::copy_n(file.begin(), count, buffer.begin());
    file = file.subspan(count);
    return count;
  });
  std::vector<std::byte> disk(kMaxDiskBytes + 1);
  disk.resize(decoder->read(disk));
  return disk;
}

void check(const StreamedImage& image, const Target& target, const std::vector<std::byte>& disk)
{
  REQUIRE(image.size_bytes() == disk.size());
  const std::uint64_t end = std::min<std::uint64_t>(disk.size(), target.size_bytes());
  for (std::uint64_t offset = 0; offset < end;) {
    const Extent extent = image.extent({offset, end - offset});
    REQUIRE(extent.size > 0);
    std::vector<std::byte> found(extent.size);
    image.read(offset, found);
    REQUIRE(std::ranges::equal(found, std::span(disk).subspan(offset, extent.size)));
    REQUIRE(!extent.hole || is_zero(found));
    offset += extent.size;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
  if (size < 4)
    return -1;
  const auto input = std::as_bytes(std::span(data, size));
  const std::span<const std::byte> file = input.subspan(4);
  static const int fd = ::memfd_create("image", 0);
  static const std::string path = fmt::format("/proc/self/fd/{}", fd);
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, file.data(), file.size(), 0) != static_cast<ssize_t>(file.size()))
    std::abort();
  Target target(get_field<std::uint32_t>(input, 0) % kMaxTargetBytes);
  try {
    const auto stream = open_stream(path, {}, "");
    if (const auto image = stream->receive(target, target, target.stop()))
      check(*image, target, is_stream(path) ? unpacked(file) : std::vector(file.begin(), file.end()));
  } catch (const Error&) {
  }
  return 0;
}
