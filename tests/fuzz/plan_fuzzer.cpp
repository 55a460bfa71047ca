// SPDX-License-Identifier: BSD-3-Clause
// Any bytes as an image, any size and options: either refused, or a disk that keeps the planner's promises.
//
// Input: 8 bytes of size, 1 byte of options, then the image, in pieces. Options: bit 0 table=backup, 1 old-backup=keep,
// 2 truncated=allow, 3-4 sector size (found, 512, 4096), 5 the size is relative to the image, 6 the fuzzer's CRCs are
// made right first, so that it gets past them, 7 extend=last.
#include "core/disk/disk.h"
#include "core/disk/size.h"
#include "core/error.h"
#include "tests/fuzz/bytes_source.h"
#include "tests/fuzz/pieces.h"

using namespace gptgrow;

namespace {

constexpr std::size_t kMaxImageSizeBytes = 128 << 10;

std::vector<std::byte> read(const Disk& disk, ByteRange range)
{
  std::vector<std::byte> bytes(range.size);
  disk.read(range.offset, bytes);
  return bytes;
}

void check_regions(const Disk& disk)
{
  std::uint64_t offset = 0;
  for (const Region& region : disk.layout().regions) {
    REQUIRE(region.range.offset == offset);
    REQUIRE(region.range.size > 0);
    if (region.origin == Origin::image)
      REQUIRE(region.source_offset + region.range.size <= disk.image().size_bytes());
    if (region.origin == Origin::own)
      REQUIRE(region.source_offset + region.range.size <= disk.layout().own_bytes.size());
    offset = region.range.end();
  }
  REQUIRE(offset == disk.size_bytes());
}

/// Reads and extents around each border of a region agree with each other.
void check_bytes(const Disk& disk)
{
  for (const Region& region : disk.layout().regions) {
    const std::uint64_t first = region.range.offset - std::min<std::uint64_t>(region.range.offset, 100);
    const ByteRange around = clip({first, 1000}, disk.size_bytes());
    const auto bytes = read(disk, around);
    const Extent extent = disk.extent(around);
    REQUIRE(extent.size > 0);
    REQUIRE(extent.size <= around.size);
    if (extent.hole)
      for (std::size_t i = 0; i < extent.size; ++i)
        REQUIRE(bytes[i] == std::byte{0});
    REQUIRE(read(disk, {around.offset + around.size / 2, 1})[0] == bytes[around.size / 2]);
  }
}

/// What is served is a table without problems, by the same rules that the image was judged by.
void check_served_table(const Disk& disk)
{
  const std::uint32_t sector_size = disk.table().sector_size_bytes;
  const Lba last_lba{disk.size_bytes() / sector_size - 1};
  const Header primary(read(disk, bytes_of(kPrimaryLba, 1, sector_size)));
  const Header backup(read(disk, bytes_of(last_lba, 1, sector_size)));
  REQUIRE(problems(primary, kPrimaryLba).empty());
  REQUIRE(problems(backup, last_lba).empty());
  REQUIRE(primary.alternate_lba() == last_lba);
  REQUIRE(backup.alternate_lba() == kPrimaryLba);
  REQUIRE(primary.last_usable_lba() == backup.last_usable_lba());
  REQUIRE(primary.last_usable_lba() < backup.partition_entry_lba());
  for (const Header& header : {primary, backup}) {
    const ByteRange range{bytes_of(header.partition_entry_lba(), 1, sector_size).offset, header.array_size_bytes()};
    REQUIRE(std::ranges::equal(read(disk, range), disk.array()));
    REQUIRE(crc32(disk.array()) == header.array_crc32());
  }
}

/// One slot of the array is other than the image's, by EndingLBA alone, and nothing is behind it.
void check_extension(const Disk& disk)
{
  const std::vector<Entry> before = disk.table().used_entries(), after = disk.used_entries();
  REQUIRE(before.size() == after.size());
  for (std::size_t i = 0; i < before.size(); ++i) {
    Entry expected = before[i];
    if (disk.extension() && disk.extension()->slot == expected.slot) {
      REQUIRE(expected.last_lba == disk.extension()->before);
      expected.last_lba = disk.extension()->after;
      REQUIRE(expected.last_lba >= before[i].last_lba);
      REQUIRE(expected.last_lba <= disk.layout().primary.last_usable_lba());
      REQUIRE((expected.last_lba.value + 1) * disk.table().sector_size_bytes % 4096 == 0);
    } else if (disk.extension()) {
      REQUIRE(expected.last_lba <= disk.extension()->before);
    }
    REQUIRE(expected == after[i]);
  }
}

/// A disk of the image's own size whose backup was valid is the image.
void check_own_size(const Disk& disk, const Reading& reading)
{
  if (disk.extension() && disk.extension()->before != disk.extension()->after)
    return;
  if (disk.size_bytes() != disk.image().size_bytes() || reading.table == TableChoice::backup || !disk.table().backup ||
      disk.table().primary.alternate_lba() != disk.layout().primary.alternate_lba() ||
      disk.table().primary.last_usable_lba() != disk.layout().primary.last_usable_lba())
    return;
  std::vector<std::byte> image(disk.image().size_bytes());
  disk.image().read(0, image);
  REQUIRE(read(disk, {0, disk.size_bytes()}) == image);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
  if (size < 9)
    return -1;
  const auto input = std::as_bytes(std::span(data, size));
  const unsigned flags = data[8];
  std::vector<std::byte> bytes = Pieces(input.subspan(9), kMaxImageSizeBytes).bytes();
  if (flags & 0x40)
    mend_crcs(bytes);
  Reading reading;
  reading.table = flags & 1 ? TableChoice::backup : TableChoice::primary;
  reading.policy.old_backup = flags & 2 ? OldBackup::keep : OldBackup::zero;
  reading.policy.truncated = flags & 4 ? Truncated::allow : Truncated::refuse;
  if (flags & 0x80)
    reading.extend = SlotToExtend();
  if (const unsigned sector_size = flags >> 3 & 3; sector_size == 1 || sector_size == 2)
    reading.sector_size_bytes = sector_size == 1 ? 512 : 4096;
  try {
    const BytesSource image(bytes);
    const std::uint64_t wanted = Size{get_field<std::uint64_t>(input, 0), (flags & 0x20) != 0}.resolve(bytes.size());
    const Disk disk(borrowed(image), {wanted}, reading);
    check_regions(disk);
    check_bytes(disk);
    check_served_table(disk);
    check_extension(disk);
    check_own_size(disk, reading);
  } catch (const Error&) {
  }
  return 0;
}
