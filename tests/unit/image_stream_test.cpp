// SPDX-License-Identifier: BSD-3-Clause
#include "core/stream/image_stream.h"

#include "core/error.h"
#include "tests/unit/memory_source.h"
#include "tests/unit/packed.h"
#include "tests/unit/served_disk.h"
#include "tests/unit/temporary_file.h"

using namespace gptgrow;

namespace {

/// A target in memory, and what was done to it.
class Recorder : public Source, public Sink {
public:
  explicit Recorder(std::uint64_t size) : bytes_(size, std::byte{0xa5}) {}

  std::vector<ByteRange> written, zeroed;
  std::uint64_t read_of_file = 0, stop_at = UINT64_MAX;
  std::atomic<bool> stop = false;

  const std::string& name() const override { return name_; }
  std::uint64_t size_bytes() const override { return bytes_.size(); }
  void read(std::uint64_t offset, std::span<std::byte> buffer) const override
  {
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), buffer.size(), buffer.begin());
  }

  std::span<std::byte> buffer() override { return buffer_; }
  bool write(ByteRange range, std::span<const std::byte> bytes) override
  {
    std::ranges::copy(bytes, bytes_.begin() + static_cast<std::ptrdiff_t>(range.offset));
    checksums_.put(range.offset, checksum(bytes));
    written.push_back(range);
    return false;
  }
  void zero(ByteRange range) override
  {
    std::fill_n(bytes_.begin() + static_cast<std::ptrdiff_t>(range.offset), range.size, std::byte{0});
    zeroed.push_back(range);
  }
  void progress(std::uint64_t input_bytes, std::uint64_t disk_bytes) override
  {
    read_of_file = input_bytes;
    stop = disk_bytes >= stop_at;
  }

  Checksums finish() override { return checksums_; }

private:
  Checksums checksums_;
  std::string name_ = "target";
  std::vector<std::byte> bytes_, buffer_ = std::vector<std::byte>(1 << 20);
};

struct Packed {
  explicit Packed(std::vector<std::byte> bytes, Compression compression = Compression::zstd) : disk(std::move(bytes))
  {
    const auto content = packed(compression, disk);
    file.write(0, {reinterpret_cast<const char*>(content.data()), content.size()});
    size = content.size();
  }

  std::shared_ptr<StreamedImage> received(Recorder& target, const std::string& sha256 = "") const
  {
    return open_stream(file.path(), {}, sha256)->receive(target, target, target.stop);
  }

  std::vector<std::byte> disk;
  TemporaryFile file;
  std::uint64_t size = 0;
};

/// Two megabytes of which most are zeros.
TestDisk mostly_empty()
{
  TestDisk disk = two_partitions();
  disk.sectors = disk.disk_end = 4096;
  return disk;
}

std::vector<std::byte> emptied(std::vector<std::byte> disk)
{
  std::fill(disk.begin() + 1000 * 512, disk.begin() + 3000 * 512, std::byte{0});
  return disk;
}

}  // namespace

TEST_CASE("What passes is the disk, and no table of it is written")
{
  const Packed image(emptied(mostly_empty().bytes()));
  for (const std::uint64_t size : {image.disk.size(), image.disk.size() + (1 << 20)}) {
    Recorder target(size);
    const auto streamed = image.received(target);
    CHECK(target.read_of_file == image.size);
    CHECK(streamed->size_bytes() == image.disk.size());
    CHECK(read_bytes(*streamed, {0, image.disk.size()}) == image.disk);
    CHECK(read_bytes(target, {1000 * 512, 2000 * 512}) == std::vector<std::byte>(2000 * 512));
    CHECK(read_bytes(target, {512, 8}) == std::vector<std::byte>(8, std::byte{0xa5}));
    CHECK(read_bytes(target, {4095 * 512, 8}) == std::vector<std::byte>(8, std::byte{0xa5}));
    CHECK(streamed->is_held(512));
    CHECK(streamed->is_held(4095 * 512));
    CHECK_FALSE(streamed->is_held(1000 * 512));
    CHECK(streamed->extent({512 * 1024, 2048}).hole);
  }
}

TEST_CASE("What lies behind the end of the target is not written, and its end is kept")
{
  const Packed image(mostly_empty().bytes());
  Recorder target(1000 * 512);
  const auto streamed = image.received(target);
  CHECK(target.written.back().end() <= target.size_bytes());
  CHECK(read_bytes(*streamed, {4063 * 512, 33 * 512}) ==
        std::vector<std::byte>(image.disk.end() - 33 * 512, image.disk.end()));
}

TEST_CASE("The head is a disk as its table describes it")
{
  const Packed image(mostly_empty().bytes());
  const auto stream = open_stream(image.file.path(), {}, "");
  const HeadImage& head = *stream->head();
  CHECK(head.size_bytes() == image.disk.size());
  CHECK(head.primary().alternate_lba() == Lba{4095});
  CHECK(read_bytes(head, {0, 34 * 512}) == std::vector<std::byte>(image.disk.begin(), image.disk.begin() + 34 * 512));
  CHECK(read_bytes(head, {4063 * 512, 33 * 512}) ==
        std::vector<std::byte>(image.disk.end() - 33 * 512, image.disk.end()));
  CHECK(head.extent({1000 * 512, 2000 * 512}).hole);
}

TEST_CASE("Asked to stop, it stops and has nothing")
{
  const Packed image(mostly_empty().bytes());
  Recorder target(image.disk.size());
  target.stop_at = 1 << 20;
  CHECK(image.received(target) == nullptr);
  CHECK(target.written.back().end() < image.disk.size());
}

TEST_CASE("A checksum is of the file, or of the disk inside, or refused")
{
  const Packed image(mostly_empty().bytes());
  const auto sha256 = [](std::span<const std::byte> bytes) {
    Sha256 sum;
    sum.add(bytes);
    return sum.hex();
  };
  Recorder target(image.disk.size());
  CHECK(image.received(target, sha256(image.disk)));
  Recorder again(image.disk.size());
  CHECK(image.received(again, sha256(packed(Compression::zstd, image.disk))));
  Recorder third(image.disk.size());
  CHECK_THROWS_WITH(image.received(third, sha256(std::span(image.disk).first(100))),
                    ContainsSubstring("expected " + sha256(std::span(image.disk).first(100))));
}

TEST_CASE("A disk with a table is raw, whatever its first bytes are")
{
  for (const std::string_view magic : {"\x1f\x8b\x08", "BZh9", "\x28\xb5\x2f\xfd"}) {
    auto disk = mostly_empty().bytes();
    std::ranges::copy(std::as_bytes(std::span(magic)), disk.begin());
    const Packed image(disk, Compression::none);
    CHECK_FALSE(is_stream(image.file.path()));
    Recorder target(disk.size());
    CHECK(read_bytes(*image.received(target), {0, disk.size()}) == disk);
  }
  CHECK(is_stream(Packed(mostly_empty().bytes(), Compression::gzip).file.path()));
}

TEST_CASE("What cannot be read once is refused")
{
  auto disk = mostly_empty().bytes();
  CHECK_THROWS_WITH(open_stream(Packed(disk).file.path(), {.table = TableChoice::backup}, ""),
                    ContainsSubstring("unpack it"));
  disk[512 + 16] ^= std::byte{1};
  CHECK_THROWS_WITH(open_stream(Packed(disk).file.path(), {}, ""), ContainsSubstring("CRC 0x"));
  disk.resize(700);
  CHECK_THROWS_WITH(open_stream(Packed(disk).file.path(), {}, ""), ContainsSubstring("too short"));
}

TEST_CASE("A table far from the beginning of the disk, or for sectors of a size that is not asked for, is not taken")
{
  TestDisk disk = two_partitions();
  disk.sectors = disk.disk_end = 70'000;
  disk.primary_array_lba = 65'600;
  disk.first_usable_lba = 65'700;
  disk.entries.clear();
  const Packed far(disk.bytes());
  CHECK_THROWS_WITH(open_stream(far.file.path(), {}, ""), ContainsSubstring("at most 33554432 in what is read once"));

  const Packed image(mostly_empty().bytes());
  CHECK_NOTHROW(open_stream(image.file.path(), {.sector_size_bytes = 512}, ""));
  CHECK_THROWS_WITH(open_stream(image.file.path(), {.sector_size_bytes = 4096}, ""), ContainsSubstring("no GPT"));
  TestDisk large = two_partitions();
  large.sector_size = 4096;
  const Packed of_large_sectors(large.bytes());
  CHECK_NOTHROW(open_stream(of_large_sectors.file.path(), {.sector_size_bytes = 4096}, ""));
  CHECK_THROWS_WITH(open_stream(of_large_sectors.file.path(), {.sector_size_bytes = 512}, ""),
                    ContainsSubstring("no GPT"));
}

TEST_CASE("A table that leaves no room for a backup is a disk without one")
{
  TestDisk disk = two_partitions();
  auto bytes = disk.bytes();
  const auto header = std::span(bytes).subspan(512, 512);
  put_field<std::uint64_t>(header, 32, 40);  // AlternateLBA
  put_field<std::uint32_t>(header, 16, 0);
  put_field<std::uint32_t>(header, 16, crc32(header.first(92)));
  disk.entries.clear();
  const Packed image(bytes);
  const auto stream = open_stream(image.file.path(), {}, "");
  CHECK(stream->head()->size_bytes() == 400 * 512);
  CHECK(read_bytes(*stream->head(), {399 * 512, 512}) == std::vector<std::byte>(512));
}

TEST_CASE("What lies behind the end of the target, and was not kept, cannot be read again")
{
  TestDisk long_disk = two_partitions();
  long_disk.sectors = long_disk.disk_end = 20'000;
  const Packed image(long_disk.bytes());
  Recorder target(1000 * 512);
  const auto streamed = image.received(target);
  CHECK_THROWS_WITH(read_bytes(*streamed, {2000 * 512, 512}),
                    ContainsSubstring("lie behind the end of target and are needed again"));
}
