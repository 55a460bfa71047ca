// SPDX-License-Identifier: BSD-3-Clause
// The planner and its reads against a second implementation of the contract, tests/model/second_model.h: both refuse, or both serve
// the same bytes, and hold for holes what has to be one.
//
// Input: what makes an image that is nearly a good one, and what is asked of it, as numbers that are what is usual when the input
// has come to its end.
#include "core/disk/disk.h"
#include "core/error.h"
#include "core/gpt/fields.h"
#include "tests/fuzz/bytes_source.h"
#include "tests/model/second_model.h"

#include <array>
#include <cstring>

#include <fuzzer/FuzzedDataProvider.h>

using namespace gptgrow;

namespace {

constexpr std::uint64_t kMaxSectors = 40;
constexpr std::uint64_t kWholeDiskBytes = 256 << 10;  // up to which all of it is compared
constexpr std::uint64_t kEdgeBytes = 32 << 10;        // behind the image and before the end, else
constexpr unsigned kMaxExtents = 64;

/// Mostly `usual`, sometimes near it, now and then anything.
std::uint64_t number(FuzzedDataProvider& in, std::uint64_t usual)
{
  const auto how = in.ConsumeIntegral<std::uint8_t>();
  if (how < 235)
    return usual;
  return how < 252 ? usual + how - 243 : in.ConsumeIntegral<std::uint64_t>();
}

bool rarely(FuzzedDataProvider& in)
{
  return in.ConsumeIntegral<std::uint8_t>() > 246;
}

bool now_and_then(FuzzedDataProvider& in)
{
  return in.ConsumeIntegral<std::uint8_t>() > 224;
}

/// Every byte tells where it is.
std::vector<std::byte> pattern(std::size_t size)
{
  static const std::vector<std::byte> all = [] {
    std::vector<std::byte> bytes((kMaxSectors + 1) * 4096);
    for (std::size_t i = 0; i < bytes.size(); ++i)
      bytes[i] = static_cast<std::byte>(i * 7 + i / 256 * 13 + 1);
    return bytes;
  }();
  return {all.begin(), all.begin() + static_cast<std::ptrdiff_t>(size)};
}

class ImageMaker {
public:
  explicit ImageMaker(FuzzedDataProvider& in) : in_(in)
  {
    sector_ = in.ConsumeBool() ? 4096 : 512;
    sectors_ = 8 + in.ConsumeIntegralInRange<std::uint64_t>(0, kMaxSectors - 8);
    image_ = pattern(sectors_ * sector_ + (rarely(in) ? in.ConsumeIntegralInRange<std::uint64_t>(0, sector_) : 0));
    entry_size_ = std::array{128U, 128U, 128U, 256U, 512U, 1024U}[in.ConsumeIntegralInRange<unsigned>(0, 5)];
    count_ = 4 + in.ConsumeIntegralInRange<unsigned>(0, 8);
    array_.resize(count_ * entry_size_);
    make_mbr();
    for (std::size_t entries = in.ConsumeIntegralInRange<std::size_t>(0, 4); entries > 0; --entries)
      put_entry();
    // A second backup, in the last LBA.
    const bool has_rival = now_and_then(in);
    const std::uint64_t last = has_rival ? sectors_ - 2 : number(in, sectors_ - 1);
    const std::uint64_t backup_array = number(in, last - array_sectors());
    first_usable_ = number(in, 2 + array_sectors());
    last_usable_ = number(in, backup_array - 1);
    // Of the last ones that are put in the same place, one is seen.
    if (rarely(in))
      put_table(1, last, number(in, 2), sector_ ^ 512 ^ 4096);
    if (has_rival)
      put_table(sectors_ - 1, 1, number(in, last - 2 * array_sectors()), sector_);
    if (!rarely(in))
      put_table(last, 1, backup_array, sector_);
    if (!rarely(in))
      put_table(1, last, number(in, 2), sector_);
    for (unsigned left = 4; left > 0 && rarely(in); --left)
      image_[in.ConsumeIntegralInRange<std::size_t>(0, image_.size() - 1)] ^=
          std::byte{in.ConsumeIntegral<std::uint8_t>()};
  }

  std::vector<std::byte> take() { return std::move(image_); }
  std::uint64_t sector() const { return sector_; }

private:
  std::uint64_t array_sectors() const { return (array_.size() + sector_ - 1) / sector_; }

  /// As much of it as there is room for.
  void put(std::uint64_t offset, std::span<const std::byte> bytes)
  {
    if (offset < image_.size() && !bytes.empty())
      std::memcpy(&image_[offset], bytes.data(), std::min(bytes.size(), image_.size() - offset));
  }

  void make_mbr()
  {
    std::ranges::fill(std::span(image_).subspan(446, 64), std::byte{0});
    for (std::size_t i = 0; i < 4; ++i) {
      const auto record = std::span(image_).subspan(446 + 16 * i, 16);
      record[4] = i == 0 || rarely(in_) ? std::byte{0xee} : std::byte{static_cast<std::uint8_t>(number(in_, 0))};
      put_field(record, 8, static_cast<std::uint32_t>(number(in_, 1)));
      put_field(record, 12, static_cast<std::uint32_t>(number(in_, sectors_ - 1)));
    }
  }

  void put_entry()
  {
    const std::size_t slot = in_.ConsumeIntegralInRange<std::size_t>(0, 4) % count_;
    const std::uint64_t first = number(in_, in_.ConsumeIntegralInRange<std::uint64_t>(2, sectors_));
    const auto entry = std::span(array_).subspan(slot * entry_size_);
    entry[slot % 16] = std::byte{0xaf};  // of its type
    put_field(entry, 32, first);
    put_field(entry, 40, number(in_, first + in_.ConsumeIntegralInRange<std::uint64_t>(0, 8)));
  }

  /// A header for sectors of `sector` bytes, and its array.
  void put_table(std::uint64_t at, std::uint64_t alternate, std::uint64_t array_lba, std::uint64_t sector)
  {
    std::vector<std::byte> header(sector, static_cast<std::byte>(in_.ConsumeIntegral<std::uint8_t>()));
    const auto field = [&]<typename T>(std::size_t offset, T usual) {
      put_field(std::span(header), offset, static_cast<T>(number(in_, usual)));
    };
    std::memcpy(header.data(), "EFI PART", 8);
    field(8, std::uint32_t{0x10000});
    field(12, std::uint32_t{92});
    field(24, at);
    field(32, alternate);
    field(40, first_usable_);
    field(48, last_usable_);
    header[56] = std::byte{now_and_then(in_)};
    std::ranges::fill(std::span(header).subspan(57, 15), std::byte{0xd1});
    put_field(std::span(header), 72, array_lba);
    field(80, count_);
    field(84, entry_size_);
    std::vector<std::byte> array = array_;
    if (now_and_then(in_))
      array[in_.ConsumeIntegralInRange<std::size_t>(0, array.size() - 1)] ^= std::byte{1};
    field(88, crc32(array));
    if (const auto size = get_field<std::uint32_t>(header, 12); size >= 20 && size <= sector) {
      put_field(std::span(header), 16, std::uint32_t{0});
      field(16, crc32(std::span(header).first(size)));
    }
    // A product that overflows is no place.
    if (array_lba < sectors_)
      put(array_lba * sector, array);
    if (at < sectors_)
      put(at * sector, header);
  }

  FuzzedDataProvider& in_;
  std::uint64_t sector_ = 0, sectors_ = 0;
  std::uint64_t first_usable_ = 0, last_usable_ = 0;
  std::uint32_t count_ = 0, entry_size_ = 0;
  std::vector<std::byte> image_, array_;
};

model::Wish make_wish(FuzzedDataProvider& in, std::uint64_t image_size_bytes, std::uint64_t sector)
{
  model::Wish wish;
  const auto more = static_cast<std::uint64_t>(in.ConsumeIntegral<std::int8_t>() / 4);
  wish.size_bytes = (number(in, image_size_bytes / sector) + more) * sector;
  if (rarely(in))
    wish.size_bytes += in.ConsumeIntegral<std::uint64_t>();
  if (rarely(in))
    wish.sector_size_bytes = in.ConsumeBool() ? 512 : 4096;
  const auto flags = in.ConsumeIntegral<std::uint8_t>();
  wish.backup_table = (flags & 3) == 3;
  wish.keep_old_backup = (flags & 4) != 0;
  wish.allow_truncated = (flags & 8) != 0;
  if (const unsigned which = flags >> 4; which > 8)
    wish.extend = which > 13 ? in.ConsumeIntegral<std::uint8_t>() % 5 : model::kEndsLast;
  return wish;
}

Reading reading_of(const model::Wish& wish)
{
  Reading reading;
  if (wish.sector_size_bytes != 0)
    reading.sector_size_bytes = wish.sector_size_bytes;
  reading.table = wish.backup_table ? TableChoice::backup : TableChoice::primary;
  reading.policy.old_backup = wish.keep_old_backup ? OldBackup::keep : OldBackup::zero;
  reading.policy.truncated = wish.allow_truncated ? Truncated::allow : Truncated::refuse;
  if (wish.extend == model::kEndsLast)
    reading.extend = SlotToExtend();
  else if (wish.extend != 0)
    reading.extend = SlotToExtend{static_cast<std::uint32_t>(wish.extend)};
  return reading;
}

void check_same_bytes(const Disk& disk, const model::Served& served, ByteRange range)
{
  static std::vector<std::byte> found(kWholeDiskBytes);
  static std::vector<std::uint8_t> expected(kWholeDiskBytes);
  disk.read(range.offset, std::span(found).first(range.size));
  served.read(range.offset, std::span(expected).first(range.size));
  REQUIRE(std::memcmp(found.data(), expected.data(), range.size) == 0);
}

void check_extents(const Disk& disk, const model::Served& served, std::uint64_t offset)
{
  for (unsigned left = kMaxExtents; left > 0 && offset < disk.size_bytes(); --left) {
    const ByteRange range{offset, disk.size_bytes() - offset};
    const Extent extent = disk.extent(range);
    REQUIRE(extent.size > 0 && extent.size <= range.size);
    const std::uint64_t grown = served.grown(offset);
    REQUIRE(extent.hole || grown == 0);
    if (extent.hole && grown < extent.size) {
      // What replaces an old backup.
      std::vector<std::uint8_t> zeros(std::min(extent.size, kWholeDiskBytes));
      served.read(offset, zeros);
      REQUIRE(std::ranges::all_of(zeros, [](std::uint8_t byte) { return byte == 0; }));
    }
    offset += extent.size;
  }
}

void compare(const Disk& disk, const model::Served& served, std::uint64_t image_size_bytes, FuzzedDataProvider& in)
{
  const std::uint64_t size = disk.size_bytes();
  REQUIRE(size == served.size_bytes());
  if (size <= kWholeDiskBytes)
    check_same_bytes(disk, served, {0, size});
  else
    for (const ByteRange range :
         {ByteRange{0, image_size_bytes + kEdgeBytes}, ByteRange{size - kEdgeBytes, kEdgeBytes}})
      check_same_bytes(disk, served, clip(range, size));
  const std::uint64_t offset = in.ConsumeIntegralInRange<std::uint64_t>(0, size - 1);
  check_same_bytes(disk, served, clip({offset, in.ConsumeIntegralInRange<std::uint64_t>(1, kEdgeBytes)}, size));
  check_extents(disk, served, 0);
  check_extents(disk, served, offset);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
  FuzzedDataProvider in(data, size);
  ImageMaker maker(in);
  const std::vector<std::byte> bytes = maker.take();
  const model::Wish wish = make_wish(in, bytes.size(), maker.sector());
  const auto served = model::serve({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, wish);
  const BytesSource image(bytes);
  try {
    const Disk disk(borrowed(image), {wish.size_bytes}, reading_of(wish));
    REQUIRE(served.has_value());
    compare(disk, *served, bytes.size(), in);
  } catch (const Error& error) {
    require(!served.has_value(), error.what());
  }
  return 0;
}
