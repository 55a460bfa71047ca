// SPDX-License-Identifier: BSD-3-Clause
// A compressed or raw image that is read once, onto a target of any size: either refused, or each byte of the disk inside comes
// once and in its order, and what is kept of it is that disk. Nothing that a packer wrote is called damaged.
//
// Input: a byte that says how the file is made, 4 bytes of the target's size, and what it is made of. Multiples of 6: the file itself.
// Else a disk, in pieces, which one of 5 packers packs; with 0x40, the CRCs of its table are made right first; with 0x80, the first 3
// bytes say which byte of the packed file becomes which other one.
#include "core/error.h"
#include "core/stream/image_stream.h"
#include "tests/fuzz/bytes_source.h"
#include "tests/fuzz/pieces.h"
#include "tests/unit/packed.h"

#include <array>

#include <sys/mman.h>
#include <unistd.h>

using namespace gptgrow;

namespace {

constexpr std::uint64_t kMaxTargetBytes = 128 << 10;
constexpr std::uint64_t kMaxPackedBytes = 128 << 10;
constexpr std::uint64_t kMaxDiskBytes = 1 << 20;  // what a bomb is stopped at
constexpr std::size_t kChunkBytes = 512 << 10;

// Made once: nobody waits for a megabyte of zeros.
std::vector<std::byte> chunk(kChunkBytes), unpacked_disk(kMaxDiskBytes + 1);

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

  std::span<std::byte> buffer() override { return chunk; }

  bool write(ByteRange range, std::span<const std::byte> bytes) override
  {
    REQUIRE(bytes.data() == chunk.data() && bytes.size() == range.size && !is_zero(bytes));
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
  std::uint64_t end_ = 0, disk_bytes_ = 0;
  std::atomic<bool> stop_ = false;
  Checksums checksums_;
};

/// The disk inside `file`, as its decoder alone gives it.
std::span<const std::byte> unpacked(std::span<const std::byte> file)
{
  const auto decoder = make_decoder(compression_of(file), "file", [&](std::span<std::byte> buffer) {
    const std::size_t count = std::min<std::size_t>({buffer.size(), file.size(), 1000});
    std::copy_n(file.begin(), count, buffer.begin());
    file = file.subspan(count);
    return count;
  });
  return std::span(unpacked_disk).first(decoder->read(unpacked_disk));
}

void check(const StreamedImage& image, const Target& target, std::span<const std::byte> disk)
{
  REQUIRE(image.size_bytes() == disk.size());
  const std::uint64_t end = std::min<std::uint64_t>(disk.size(), target.size_bytes());
  for (std::uint64_t offset = 0; offset < end;) {
    const Extent extent = image.extent({offset, end - offset});
    REQUIRE(extent.size > 0);
    std::vector<std::byte> found(extent.size);
    image.read(offset, found);
    REQUIRE(std::ranges::equal(found, disk.subspan(offset, extent.size)));
    REQUIRE(!extent.hole || is_zero(found));
    offset += extent.size;
  }
}

/// What is planned from what has passed is what is planned from a file, with the same bytes.
void check_disk(StreamedImage& image, const Target& target, std::span<const std::byte> bytes)
{
  const BytesSource file(bytes);
  std::optional<Disk> expected, found;
  try {
    expected.emplace(borrowed(file), WantedSize{target.size_bytes()}, Reading{});
  } catch (const Error&) {
  }
  try {
    found.emplace(borrowed(image), WantedSize{target.size_bytes()}, Reading{});
  } catch (const Error& error) {
    if (std::strstr(error.what(), "it must be unpacked to a file"))
      return;
  }
  REQUIRE(expected.has_value() == found.has_value());
  if (!found)
    return;
  image.settle_checksums(*found, StreamedImage::WhenChanged::refuse);
  const ByteRange all{0, target.size_bytes()};
  REQUIRE(read_bytes(*found, all) == read_bytes(*expected, all));
}

constexpr std::array kPackers{Compression::gzip, Compression::bzip2, Compression::xz, Compression::zstd,
                              Compression::lz4};

/// What `input` makes of a disk.
std::vector<std::byte> pack(std::size_t packer, unsigned how, std::span<const std::byte> input)
{
  const std::size_t change_bytes = how & 0x80 ? 3 : 0;
  std::vector<std::byte> disk = Pieces(input.subspan(change_bytes), kMaxPackedBytes).bytes();
  if (how & 0x40)
    mend_crcs(disk);
  if (disk.empty())
    return {};  // libarchive's packer for lz4 crashes where nothing was given to it
  std::vector<std::byte> file = packed(kPackers[packer], disk, "1");
  if (how & 0x80)
    file[get_field<std::uint16_t>(input, 0) % file.size()] = input[2];
  else
    REQUIRE(std::ranges::equal(unpacked(file), disk));
  return file;
}

/// A file in memory, by a name that open() takes.
std::string file_of(std::span<const std::byte> bytes)
{
  static const int fd = ::memfd_create("image", 0);
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    std::abort();
  return fmt::format("/proc/self/fd/{}", fd);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
  if (size < 9)
    return -1;
  const auto input = std::as_bytes(std::span(data, size));
  std::vector<std::byte> made;
  std::span<const std::byte> file = input.subspan(5);
  if (const std::size_t kind = (data[0] & 0x3f) % (kPackers.size() + 1); kind != 0)
    file = made = pack(kind - 1, data[0], file);
  const std::string path = file_of(file);
  Target target(get_field<std::uint32_t>(input, 1) % kMaxTargetBytes);
  try {
    const auto stream = open_stream(path, {}, "");
    if (const auto image = stream->receive(target, target, target.stop())) {
      const std::span<const std::byte> disk = is_stream(path) ? unpacked(file) : file;
      check(*image, target, disk);
      check_disk(*image, target, disk);
    }
  } catch (const Error&) {
  }
  return 0;
}
