// SPDX-License-Identifier: BSD-3-Clause
#include "core/stream/head_image.h"

#include "tests/unit/packed_image.h"

using namespace gptgrow;

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

namespace {

/// Bytes that come from nowhere that can be named.
class Pipelike : public Input {
public:
  explicit Pipelike(std::shared_ptr<const Source> file = nullptr) : file_(std::move(file)) {}

  const std::string& name() const override { return name_; }
  std::shared_ptr<const Source> file() const override { return file_; }

private:
  std::size_t read_some(std::span<std::byte>, const std::atomic<bool>&) override { return 0; }

  std::string name_ = "pipe";
  std::shared_ptr<const Source> file_;
};

HeadImage head_of(std::span<const std::byte> disk, const Input& input = Pipelike(),
                  Compression compression = Compression::none)
{
  const auto read = [&](std::span<std::byte> buffer) {
    const auto part = disk.first(std::min(buffer.size(), disk.size()));
    std::ranges::copy(part, buffer.begin());
    disk = disk.subspan(part.size());
    return part.size();
  };
  return HeadImage(input, compression, read, std::nullopt);
}

void seal(std::span<std::byte> header)
{
  put_field<std::uint32_t>(header, 16, 0);
  put_field<std::uint32_t>(header, 16, crc32(header.first(92)));
}

}  // namespace

TEST_CASE("Of a head, no more is read than its table takes")
{
  const auto disk = mostly_empty().bytes();
  const HeadImage head = head_of(disk);
  CHECK(head.head().size() == 34 * 512);
  CHECK(std::ranges::equal(head.head(), std::span(disk).first(34 * 512)));
  CHECK(head.extent({512, 4096}).size == 4096);
  CHECK(head.extent({33 * 512, 4096}).size == 512);
  CHECK_FALSE(head.extent({33 * 512, 4096}).hole);
  CHECK(head.extent({34 * 512, 4000 * 512}).size == 4000 * 512);
  CHECK(head.extent({34 * 512, 4062 * 512}).size == 4029 * 512);
  CHECK_FALSE(head.extent({4063 * 512, 33 * 512}).hole);
  // From the head over the hole to the backup.
  std::vector<std::byte> all(disk.size());
  std::ranges::copy(std::span(disk).first(34 * 512), all.begin());
  std::ranges::copy(std::span(disk).last(33 * 512), all.end() - 33 * 512);
  CHECK(read_bytes(head, {0, disk.size()}) == all);
}

TEST_CASE("What is known of where a head comes from")
{
  const auto disk = mostly_empty().bytes();
  const HeadImage of_pipe = head_of(disk);
  CHECK(of_pipe.name() == "pipe");
  CHECK(of_pipe.version() == "read once");
  CHECK(of_pipe.stored_in() == std::vector<const Source*>{&of_pipe});
  CHECK_FALSE(of_pipe.modified());

  const auto file = in_memory(disk);
  const HeadImage of_device = head_of(disk, Pipelike(file));
  CHECK(of_device.version() == "read once");
  CHECK(of_device.stored_in() == std::vector<const Source*>{file.get()});
  file->set_version("modified yesterday");
  CHECK(of_device.version() == "modified yesterday");
}

TEST_CASE("A disk is as long as what lies last on it: its backup, a partition, or its primary array")
{
  auto disk = mostly_empty();
  disk.entries.push_back({2, 500, 9999, 2});
  CHECK(head_of(disk.bytes()).size_bytes() == 10'000 * 512);
  disk.entries.back().last_lba = UINT64_MAX;
  CHECK(head_of(disk.bytes()).size_bytes() == kMaxDiskSizeBytes / 512 * 512);

  // A backup would be in the array, or would have no room for its own.
  for (const std::uint64_t alternate_lba : {20, 40}) {
    auto bytes = two_partitions().bytes();
    const auto header = std::span(bytes).subspan(512, 512), array = std::span(bytes).subspan(1024, 32 * 512);
    std::ranges::fill(array, std::byte{0});
    put_field(header, 32, alternate_lba);
    put_field<std::uint32_t>(header, 88, crc32(array));
    seal(header);
    const HeadImage head = head_of(bytes);
    CHECK(head.size_bytes() == std::max<std::uint64_t>(alternate_lba + 1, 35) * 512);
    CHECK(is_zero(read_bytes(head, {34 * 512, 512})));
  }
}

TEST_CASE("An array that does not fill its last sector is mirrored with zeros behind it")
{
  auto disk = mostly_empty();
  disk.entry_count = 5;  // 640 bytes
  const auto bytes = disk.bytes();
  const HeadImage head = head_of(bytes);
  CHECK(head.size_bytes() == bytes.size());
  CHECK(read_bytes(head, {4093 * 512, 3 * 512}) == std::vector<std::byte>(bytes.end() - 3 * 512, bytes.end()));
}

TEST_CASE("A disk that is none is refused by what it looks like")
{
  auto disk = mostly_empty().bytes();
  disk[512 + 20] = std::byte{1};  // reserved, and in the CRC
  CHECK_THROWS_WITH(head_of(disk), ContainsSubstring("pipe: no valid primary GPT: ") && ContainsSubstring("CRC"));
  std::ranges::copy(std::as_bytes(std::span("QFI\xfb", 4)), disk.begin());
  std::fill_n(disk.begin() + 512, 512, std::byte{0});
  CHECK_THROWS_WITH(head_of(disk), ContainsSubstring("no GPT: ") && ContainsSubstring("; it looks like"));
  CHECK_THROWS_WITH(head_of(disk, Pipelike(), Compression::xz),
                    ContainsSubstring("unpacked (it is xz data), it looks"));
  CHECK_THROWS_WITH(head_of(std::vector<std::byte>(1000)), ContainsSubstring("no GPT: 1000 bytes long, too short"));
  CHECK_THROWS_WITH(head_of(std::vector<std::byte>(1024, std::byte{0x7e})),
                    ContainsSubstring("no valid primary GPT: "));
}
