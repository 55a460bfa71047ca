// SPDX-License-Identifier: BSD-3-Clause
#include "core/target/contents.h"

#include "tests/unit/served_disk.h"
#include "tests/unit/temporary_file.h"

#include <set>
#include <system_error>

using namespace gptgrow;

namespace {

/// Swap space, as mkswap writes it: the last bytes of its first page say what it is.
void put_swap(std::span<std::byte> bytes, std::string_view label)
{
  put_field<std::uint32_t>(bytes, 1024, 1);   // version
  put_field<std::uint32_t>(bytes, 1028, 10);  // last page
  std::memcpy(bytes.data() + 1052, label.data(), label.size());
  std::memcpy(bytes.data() + 4086, "SWAPSPACE2", 10);
}

/// Not on a disk so short as a floppy disk.
constexpr std::uint64_t kRaidBytes = 4 << 20;

/// A member of a Linux RAID whose superblock, version 1.0, lies 8 KiB before the end of `bytes`.
void put_raid_member(std::span<std::byte> bytes)
{
  const std::size_t at = (bytes.size() / 512 - 16) / 8 * 8 * 512;
  put_field<std::uint32_t>(bytes, at, 0xa92b4efc);
  put_field<std::uint32_t>(bytes, at + 4, 1);
  std::memcpy(bytes.data() + at + 32, "array", 5);
  put_field<std::uint64_t>(bytes, at + 144, at / 512);
}

struct ContentsFile {
  explicit ContentsFile(const std::vector<std::byte>& bytes)
  {
    file.write(0, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    source.emplace(file.path());
  }

  TemporaryFile file;
  std::optional<FileSource> source;
};

Contents contents_in(const std::vector<std::byte>& bytes, std::uint32_t sector_size_bytes = 512)
{
  return contents_of(*ContentsFile(bytes).source, sector_size_bytes);
}

}  // namespace

TEST_CASE("An empty disk holds nothing")
{
  const Contents none = contents_in(std::vector<std::byte>(1 << 20));
  CHECK(none.table_type.empty());
  CHECK(none.type.empty());
  CHECK(none.partitions.empty());
  CHECK(none.signatures.empty());
}

TEST_CASE("What is on a disk as a whole is told, with its place and a label that is safe on a terminal")
{
  std::vector<std::byte> bytes(1 << 20);
  put_swap(bytes, "my\x1b[31mswap");
  const Contents swap = contents_in(bytes);
  CHECK(swap.type == "swap");
  REQUIRE(swap.signatures.size() == 1);
  CHECK(swap.signatures[0].range == ByteRange{4086, 10});
  CHECK(swap.signatures[0].version == "1");
  CHECK_THAT(swap.signatures[0].label, ContainsSubstring("my") && !ContainsSubstring("\x1b"));
  CHECK(swap.table_type.empty());
}

TEST_CASE("Every signature is found, also one behind another")
{
  std::vector<std::byte> bytes(kRaidBytes);
  put_swap(bytes, "both");
  put_raid_member(bytes);
  const Contents both = contents_in(bytes);
  REQUIRE(both.signatures.size() == 2);
  std::set<std::string> types;
  for (const Signature& signature : both.signatures)
    types.insert(signature.type);
  CHECK(types == std::set<std::string>{"swap", "linux_raid_member"});
}

TEST_CASE("The partitions of a GPT are told with what is in them, else with their own name")
{
  auto disk = two_partitions();
  auto bytes = disk.bytes();
  std::fill_n(bytes.begin() + 48 * 512, 352 * 512, std::byte{0});
  put_swap(std::span(bytes).subspan(200 * 512, 200 * 512), "in third");
  const Contents contents = contents_in(bytes);
  CHECK(contents.table_type == "gpt");
  REQUIRE(contents.partitions.size() == 2);
  CHECK(contents.partitions[0].number == 1);
  CHECK(contents.partitions[0].range == ByteRange{48 * 512, 52 * 512});
  CHECK(contents.partitions[0].type.empty());
  CHECK(contents.partitions[1].number == 3);
  CHECK(contents.partitions[1].type == "swap");
  CHECK_THAT(contents.partitions[1].label, ContainsSubstring("in"));
  REQUIRE(contents.signatures.size() == 1);
  CHECK(contents.signatures[0].range == ByteRange{200 * 512 + 4086, 10});
}

TEST_CASE("A table for sectors of 4096 bytes is found where that is asked for")
{
  TestDisk disk;
  disk.sector_size = 4096;
  disk.sectors = disk.disk_end = 200;
  disk.entries = {{1, 48, 99, 1}};
  const auto bytes = disk.bytes();
  const Contents contents = contents_in(bytes, 4096);
  CHECK(contents.table_type == "gpt");
  REQUIRE(contents.partitions.size() == 1);
  CHECK(contents.partitions[0].range == ByteRange{48 * 4096, 52 * 4096});
  CHECK(contents_in(bytes, 512).partitions.empty());
}

TEST_CASE("Of an MBR, partitions behind the end of the disk are none, one that goes beyond is cut, and the extended "
          "one only holds others")
{
  std::vector<std::byte> bytes(1000 * 512);
  const auto entry = [&](std::size_t at, int type, std::uint32_t start, std::uint32_t sectors) {
    bytes[at + 4] = static_cast<std::byte>(type);
    put_field<std::uint32_t>(bytes, at + 8, start);
    put_field<std::uint32_t>(bytes, at + 12, sectors);
  };
  entry(446, 0x83, 100, 100);
  entry(462, 0x83, 900, 5000);
  entry(478, 0x83, 2000, 10);
  entry(494, 0x05, 300, 200);
  put_field<std::uint16_t>(bytes, 510, 0xaa55);
  entry(300 * 512 + 446, 0x83, 10, 50);
  put_field<std::uint16_t>(bytes, 300 * 512 + 510, 0xaa55);
  const Contents contents = contents_in(bytes);
  CHECK(contents.table_type == "dos");
  std::vector<std::pair<int, ByteRange>> found;
  for (const PresentPartition& partition : contents.partitions)
    found.emplace_back(partition.number, partition.range);
  CHECK(found == std::vector<std::pair<int, ByteRange>>{
                     {1, {100 * 512, 100 * 512}}, {2, {900 * 512, 100 * 512}}, {5, {310 * 512, 50 * 512}}});
}

TEST_CASE("What is in a partition is found again when that is longer, unless it is found from the end")
{
  std::vector<std::byte> bytes(kRaidBytes);
  const ByteRange partition{0, kRaidBytes / 2}, longer{0, kRaidBytes};
  CHECK(what_is_in(*ContentsFile(bytes).source, partition, longer).type.empty());
  put_swap(bytes, "swap");
  const Inside swap = what_is_in(*ContentsFile(bytes).source, partition, longer);
  CHECK(swap.type == "swap");
  CHECK(swap.version == "1");
  CHECK_FALSE(swap.is_found_from_end);

  std::vector<std::byte> member(kRaidBytes);
  put_raid_member(std::span(member).first(kRaidBytes / 2));
  const ContentsFile file(member);
  CHECK(what_is_in(*file.source, partition, longer).type == "linux_raid_member");
  CHECK(what_is_in(*file.source, partition, longer).is_found_from_end);
  CHECK_FALSE(what_is_in(*file.source, partition, partition).is_found_from_end);
  CHECK_THROWS_AS(what_is_in(*file.source, {2 * kRaidBytes, 512}, longer), std::system_error);
}
