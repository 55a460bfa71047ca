// SPDX-License-Identifier: BSD-3-Clause
// A tool is named for exactly what it leaves: one more difference, in any part of the table, and it is not.
#include "core/compare/compare.h"
#include "core/gpt/mbr.h"
#include "tests/unit/catch2.h"
#include "tests/unit/served_disk.h"

#include <algorithm>
#include <functional>

using namespace gptgrow;

namespace {

using Bytes = std::vector<std::byte>;
using Edit = std::function<void(Bytes&)>;

constexpr std::uint64_t kSectorsThen = 700, kLast = kSectorsThen - 1, kArraySectors = 32;
constexpr std::uint64_t kPrimary = 1, kBackupArray = kLast - kArraySectors;

constexpr const char *kSgdisk = "sgdisk -e, gdisk", *kSorted = "sgdisk --sort",
                     *kSgdiskEdited = "sgdisk or gdisk, partitions edited",
                     *kFdisk = "sfdisk --relocate gpt-bak-std, fdisk",
                     *kFdiskEdited = "sfdisk, fdisk or systemd-repart, partitions edited",
                     *kDump = "sfdisk, a dump loaded again", *kGrowpart = "growpart",
                     *kDumpEdited = "sfdisk, an edited dump loaded", *kParted = "parted --fix",
                     *kPartedEdited = "parted, partitions edited", *kCopy = "a raw copy (dd, nbdcopy, an image writer)";

void put(Bytes& disk, std::size_t at, std::initializer_list<unsigned> bytes)
{
  std::ranges::transform(bytes, disk.begin() + static_cast<std::ptrdiff_t>(at),
                         [](unsigned byte) { return static_cast<std::byte>(byte); });
}

template <typename T>
void set(Bytes& disk, std::uint64_t lba, std::size_t field, T value)
{
  put_field<T>(std::span(disk).subspan(lba * 512, 512), field, value);
}

/// Both CRCs of a header as they should be.
void seal(Bytes& disk, std::uint64_t lba)
{
  const auto sector = std::span(disk).subspan(lba * 512, 512);
  const auto array =
      std::span(disk).subspan(get_field<std::uint64_t>(sector, 72) * 512,
                              get_field<std::uint32_t>(sector, 80) * get_field<std::uint32_t>(sector, 84));
  put_field<std::uint32_t>(sector, 88, crc32(array));
  put_field<std::uint32_t>(sector, 16, 0);
  put_field<std::uint32_t>(sector, 16, crc32(sector.first(get_field<std::uint32_t>(sector, 12))));
}

void seal_both(Bytes& disk)
{
  seal(disk, kPrimary);
  seal(disk, kLast);
}

template <typename T>
void set_both(Bytes& disk, std::size_t field, T value)
{
  set(disk, kPrimary, field, value);
  set(disk, kLast, field, value);
}

/// In both arrays.
template <typename T>
void set_entry(Bytes& disk, std::uint32_t slot, std::size_t field, T value)
{
  for (const std::uint64_t lba : {kPrimary, kLast}) {
    const auto array_lba = get_field<std::uint64_t>(std::span(disk).subspan(lba * 512, 512), 72);
    put_field<T>(std::span(disk), array_lba * 512 + (slot - 1) * 128 + field, value);
  }
}

TestDisk image_disk()
{
  return {.entries = {{1, 64, 79, 1}, {2, 200, 259, 2}, {4, 80, 95, 4}}};
}

/// Its MBR has a signature of a disk, and CHS fields that no tool writes.
Bytes image_of(const TestDisk& disk)
{
  Bytes bytes = disk.bytes();
  put(bytes, 440, {1, 2, 3, 4});
  put(bytes, 447, {9, 9, 9});
  return bytes;
}

TestDisk on_larger_disk(TestDisk disk)
{
  disk.sectors = disk.disk_end = kSectorsThen;
  return disk;
}

void protective(Bytes& disk, unsigned boot_indicator, std::initializer_list<unsigned> ending_chs)
{
  std::fill(disk.begin() + 446, disk.begin() + 510, std::byte{0});
  put(disk, 446, {boot_indicator, 0, 2, 0, 0xee});
  put(disk, 451, ending_chs);
  set<std::uint32_t>(disk, 0, 454, 1);
  set<std::uint32_t>(disk, 0, 458, kLast);
}

Bytes by_fdisk(const TestDisk& image)
{
  Bytes disk = image_of(on_larger_disk(image));
  protective(disk, 0, {0xff, 0xff, 0xff});
  return disk;
}

Bytes by_sfdisk(const TestDisk& image)
{
  Bytes disk = by_fdisk(image);
  put(disk, 440, {0, 0, 0, 0, 0, 0});
  return disk;
}

Bytes by_parted(const TestDisk& image)
{
  Bytes disk = by_fdisk(image);
  put(disk, 446, {0x80});
  return disk;
}

/// The array as far from the end as the first usable sector is from the beginning.
Bytes by_gdisk(const TestDisk& image)
{
  Bytes disk = by_sfdisk(image);
  protective(disk, 0, {0x0b, 0x02, 0x00});
  const std::uint64_t last_usable = kLast - image.first_usable_lba + 1;
  std::copy_n(disk.begin() + kBackupArray * 512, kArraySectors * 512,
              disk.begin() + static_cast<std::ptrdiff_t>((last_usable + 1) * 512));
  set_both<std::uint64_t>(disk, 48, last_usable);
  set<std::uint64_t>(disk, kLast, 72, last_usable + 1);
  seal_both(disk);
  return disk;
}

std::vector<std::string> tools(const Bytes& a, const Bytes& b)
{
  return compare(in_memory(a), in_memory(b), std::nullopt).tools;
}

bool names(const Bytes& a, const Bytes& b, const char* tool)
{
  return std::ranges::count(tools(a, b), tool) == 1;
}

struct Named {
  const char* what;
  Edit change;
};

/// Of headers whose CRCs are right all the same.
Edit in_header(const std::function<void(Bytes&)>& change)
{
  return [change](Bytes& disk) {
    change(disk);
    seal_both(disk);
  };
}

const std::vector<Named>& header_changes()
{
  static const std::vector<Named> all{
      {"HeaderSize", in_header([](Bytes& disk) { set_both<std::uint32_t>(disk, 12, 96); })},
      {"Reserved", in_header([](Bytes& disk) { set_both<std::uint32_t>(disk, 20, 7); })},
      {"FirstUsableLBA", in_header([](Bytes& disk) { set_both<std::uint64_t>(disk, 40, 49); })},
      {"LastUsableLBA", in_header([](Bytes& disk) { set_both<std::uint64_t>(disk, 48, 640); })},
      {"DiskGUID", in_header([](Bytes& disk) { set_both<std::uint64_t>(disk, 56, 7); })},
      {"NumberOfPartitionEntries", in_header([](Bytes& disk) { set_both<std::uint32_t>(disk, 80, 124); })},
      {"rest of the sector", in_header([](Bytes& disk) { set_both<std::uint32_t>(disk, 200, 7); })},
      {"place of the primary array", in_header([](Bytes& disk) {
         std::copy_n(disk.begin() + 2 * 512, kArraySectors * 512, disk.begin() + 10 * 512);
         set<std::uint64_t>(disk, kPrimary, 72, 10);
       })},
      {"place of the backup array", in_header([](Bytes& disk) {
         const auto from = get_field<std::uint64_t>(std::span(disk).subspan(kLast * 512, 512), 72);
         const Bytes array(disk.begin() + static_cast<std::ptrdiff_t>(from * 512),
                           disk.begin() + static_cast<std::ptrdiff_t>((from + kArraySectors) * 512));
         std::ranges::copy(array, disk.begin() + static_cast<std::ptrdiff_t>((from - 1) * 512));
         set<std::uint64_t>(disk, kLast, 72, from - 1);
       })},
      {"backup that differs",
       [](Bytes& disk) {
         const auto array_lba = get_field<std::uint64_t>(std::span(disk).subspan(kLast * 512, 512), 72);
         disk[array_lba * 512 + 48] ^= std::byte{4};
         seal(disk, kLast);
       }},
      {"damaged primary", [](Bytes& disk) { disk[512 + 16] ^= std::byte{1}; }},
  };
  return all;
}

const std::vector<Named>& mbr_changes()
{
  static const std::vector<Named> all{
      {"boot code", [](Bytes& disk) { disk[0] ^= std::byte{1}; }},
      {"disk signature", [](Bytes& disk) { disk[440] ^= std::byte{1}; }},
      {"boot indicator", [](Bytes& disk) { disk[446] ^= std::byte{0x10}; }},
      {"StartingCHS", [](Bytes& disk) { disk[448] ^= std::byte{1}; }},
      {"OSType", [](Bytes& disk) { disk[450] = std::byte{0x83}; }},
      {"StartingLBA", [](Bytes& disk) { disk[454] ^= std::byte{1}; }},
      {"SizeInLBA", [](Bytes& disk) { disk[458] ^= std::byte{1}; }},
      {"another record", [](Bytes& disk) { disk[446 + 16 + 4] = std::byte{0x83}; }},
      {"Signature", [](Bytes& disk) { disk[510] = std::byte{0}; }},
  };
  return all;
}

const std::vector<Named>& entry_changes()
{
  static const std::vector<Named> all{
      {"type", in_header([](Bytes& disk) { set_entry<std::uint8_t>(disk, 2, 0, 0x11); })},
      {"GUID", in_header([](Bytes& disk) { set_entry<std::uint8_t>(disk, 2, 16, 0x11); })},
      {"StartingLBA", in_header([](Bytes& disk) { set_entry<std::uint64_t>(disk, 2, 32, 201); })},
      {"EndingLBA", in_header([](Bytes& disk) { set_entry<std::uint64_t>(disk, 2, 40, 258); })},
      {"attributes", in_header([](Bytes& disk) { set_entry<std::uint64_t>(disk, 2, 48, 4); })},
      {"name", in_header([](Bytes& disk) { set_entry<std::uint16_t>(disk, 2, 56, 'x'); })},
      {"one more", in_header([](Bytes& disk) {
         set_entry<std::uint64_t>(disk, 9, 0, 7);
         set_entry<std::uint64_t>(disk, 9, 32, 300);
         set_entry<std::uint64_t>(disk, 9, 40, 310);
       })},
      {"one less", in_header([](Bytes& disk) {
         for (std::size_t field = 0; field < 128; field += 8)
           set_entry<std::uint64_t>(disk, 2, field, 0);
       })},
  };
  return all;
}

void is_exact(const Bytes& image, const Bytes& disk, const char* tool, const std::vector<Named>& changes)
{
  CAPTURE(tool);
  CHECK(names(image, disk, tool));
  for (const Named& named : changes) {
    Bytes other = disk;
    named.change(other);
    INFO(named.what);
    REQUIRE(other != disk);
    CHECK_FALSE(names(image, other, tool));
  }
}

}  // namespace

TEST_CASE("What a tool left is its work, and with another header, MBR or entry it is not")
{
  const TestDisk disk = image_disk();
  const Bytes image = image_of(disk);
  for (const auto& [tool, bytes] : {std::pair{kSgdisk, by_gdisk(disk)}, std::pair{kFdisk, by_fdisk(disk)},
                                    std::pair{kDump, by_sfdisk(disk)}, std::pair{kParted, by_parted(disk)}}) {
    is_exact(image, bytes, tool, header_changes());
    is_exact(image, bytes, tool, mbr_changes());
    is_exact(image, bytes, tool, entry_changes());
  }
}

TEST_CASE("Of a damaged image nobody can say which tool made another disk of it")
{
  Bytes image = image_of(image_disk());
  image[512 + 16] ^= std::byte{1};
  for (const Bytes& disk : {by_gdisk(image_disk()), by_fdisk(image_disk()), by_sfdisk(image_disk())})
    CHECK(tools(image, disk).empty());
}

TEST_CASE("A raw copy is longer, and the same as far as the table goes")
{
  const Bytes image = image_of(image_disk());
  Bytes copy = image;
  copy.resize(kSectorsThen * 512);
  CHECK(names(image, copy, kCopy));
  CHECK_FALSE(names(copy, image, kCopy));
  for (const std::size_t at : {std::size_t{440}, std::size_t{512 + 300}}) {
    Bytes other = copy;
    other[at] ^= std::byte{1};
    CHECK_FALSE(names(image, other, kCopy));
  }
}

TEST_CASE("Tools that edit leave other entries, and no other header")
{
  const TestDisk disk = image_disk();
  const Bytes image = image_of(disk);
  for (const auto& [tool, bytes] :
       {std::pair{kSgdiskEdited, by_gdisk(disk)}, std::pair{kFdiskEdited, by_fdisk(disk)},
        std::pair{kDumpEdited, by_sfdisk(disk)}, std::pair{kPartedEdited, by_parted(disk)}}) {
    CHECK_FALSE(names(image, bytes, tool));
    for (const Named& named : entry_changes()) {
      // A dump, and parted's own table, have no word for an attribute that they do not name; this one they do.
      Bytes other = bytes;
      named.change(other);
      CAPTURE(tool, named.what);
      CHECK(names(image, other, tool));
      is_exact(image, other, tool, header_changes());
    }
  }
}

TEST_CASE("Attributes that a dump does not name are lost with it, and with nothing else")
{
  const TestDisk disk = image_disk();
  Bytes image = image_of(disk), with = by_sfdisk(disk), without = with;
  constexpr std::uint64_t kUnnamed = 0x0000100000000000, kNamed = 4;
  const auto set_attributes = [](Bytes& bytes, std::uint64_t last, std::uint64_t value) {
    for (const std::uint64_t lba : {kPrimary, last})
      put_field<std::uint64_t>(std::span(bytes), get_field<std::uint64_t>(bytes, lba * 512 + 72) * 512 + 128 + 48,
                               value);
    seal(bytes, kPrimary);
    seal(bytes, last);
  };
  set_attributes(image, 511, kUnnamed | kNamed);
  set_attributes(with, kLast, kUnnamed | kNamed);
  set_attributes(without, kLast, kNamed);
  CHECK(names(image, with, kDump));
  CHECK(names(image, without, kDump));
  set_attributes(without, kLast, kUnnamed);
  CHECK_FALSE(names(image, without, kDump));
}

TEST_CASE("Growpart grows one partition, and changes no other")
{
  const TestDisk disk = image_disk();
  const Bytes image = image_of(disk);
  Bytes bytes = by_sfdisk(disk);
  set_entry<std::uint64_t>(bytes, 2, 40, 600);
  seal_both(bytes);
  CHECK(names(image, bytes, kGrowpart));
  const std::vector<Named> changes{
      {"another one grown", in_header([](Bytes& grown) { set_entry<std::uint64_t>(grown, 1, 40, 79 + 1000); })},
      {"another one shrunk", in_header([](Bytes& grown) { set_entry<std::uint64_t>(grown, 1, 40, 78); })},
      {"a new GUID", in_header([](Bytes& grown) { set_entry<std::uint8_t>(grown, 2, 16, 0x11); })},
      {"a new type", in_header([](Bytes& grown) { set_entry<std::uint8_t>(grown, 2, 0, 0x11); })},
      {"a new name", in_header([](Bytes& grown) { set_entry<std::uint16_t>(grown, 2, 56, 'x'); })},
      {"another beginning", in_header([](Bytes& grown) { set_entry<std::uint64_t>(grown, 2, 32, 208); })},
      {"another end alone", in_header([](Bytes& grown) { set_entry<std::uint64_t>(grown, 2, 40, 240); })},
  };
  is_exact(image, bytes, kGrowpart, changes);
}

TEST_CASE("Sorted is dense, in the order of places, each entry as it was")
{
  const TestDisk disk = image_disk();
  const Bytes image = image_of(disk);
  TestDisk sorted = disk;
  sorted.entries = {{1, 64, 79, 1}, {2, 80, 95, 4}, {3, 200, 259, 2}};
  CHECK(names(image, by_gdisk(sorted), kSorted));
  CHECK_FALSE(names(image, by_fdisk(sorted), kSorted));
  TestDisk gap = sorted;
  gap.entries[2].slot = 4;
  CHECK_FALSE(names(image, by_gdisk(gap), kSorted));
  TestDisk unsorted = sorted;
  std::swap(unsorted.entries[1].slot, unsorted.entries[2].slot);
  CHECK_FALSE(names(image, by_gdisk(unsorted), kSorted));
  TestDisk fewer = sorted;
  fewer.entries.pop_back();
  CHECK_FALSE(names(image, by_gdisk(fewer), kSorted));
}

TEST_CASE("gdisk writes an empty table where it takes entries of another size for damage")
{
  TestDisk disk = image_disk();
  disk.entry_size = 256;
  disk.first_usable_lba = 80;
  const Bytes image = image_of(disk);
  TestDisk empty;
  empty.first_usable_lba = 34;
  const Bytes bytes = by_gdisk(empty);
  CHECK(names(image, bytes, kSgdisk));
  CHECK_FALSE(names(image_of(image_disk()), bytes, kSgdisk));
  const std::vector<Named> changes{
      {"entries", in_header([](Bytes& other) { set_entry<std::uint64_t>(other, 1, 48, 1); })},
      {"NumberOfPartitionEntries", in_header([](Bytes& other) { set_both<std::uint32_t>(other, 80, 124); })},
      {"SizeOfPartitionEntry", in_header([](Bytes& other) {
         set_both<std::uint32_t>(other, 80, 64);
         set_both<std::uint32_t>(other, 84, 256);
       })},
      {"rest of the sector", in_header([](Bytes& other) { set_both<std::uint32_t>(other, 200, 7); })},
      {"HeaderSize", in_header([](Bytes& other) { set_both<std::uint32_t>(other, 12, 96); })},
  };
  is_exact(image, bytes, kSgdisk, changes);
}

TEST_CASE("What is at the end of a disk of the image's size stays there")
{
  TestDisk disk = image_disk();
  Bytes image = image_of(disk);
  Bytes bytes = image;
  // As fdisk writes it again.
  std::fill(bytes.begin() + 446, bytes.begin() + 510, std::byte{0});
  put(bytes, 446, {0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff, 1});
  set<std::uint32_t>(bytes, 0, 458, 511);
  // Neither tool would put the array there, if it were to be moved.
  for (Bytes* each : {&image, &bytes}) {
    std::copy_n(each->begin() + 479 * 512, kArraySectors * 512, each->begin() + 470 * 512);
    for (const std::uint64_t lba : {std::uint64_t{1}, std::uint64_t{511}})
      set<std::uint64_t>(*each, lba, 48, 460);
    set<std::uint64_t>(*each, 511, 72, 470);
    seal(*each, 1);
    seal(*each, 511);
  }
  CHECK(names(image, bytes, kFdisk));
  Bytes moved = bytes;
  std::copy_n(moved.begin() + 470 * 512, kArraySectors * 512, moved.begin() + 471 * 512);
  set<std::uint64_t>(moved, 511, 72, 471);
  seal(moved, 511);
  CHECK_FALSE(names(image, moved, kFdisk));
  Bytes without_backup = image;
  without_backup[511 * 512] ^= std::byte{1};
  CHECK_FALSE(names(without_backup, bytes, kFdisk));
}

TEST_CASE("A dump, and parted, may keep the last usable sector that the image names, and no other tool does")
{
  const TestDisk disk = image_disk();
  const Bytes image = image_of(disk);
  const auto kept = [](Bytes bytes) {
    set_both<std::uint64_t>(bytes, 48, 478);
    seal_both(bytes);
    return bytes;
  };
  CHECK(names(image, kept(by_sfdisk(disk)), kDump));
  CHECK(names(image, kept(by_parted(disk)), kParted));
  CHECK_FALSE(names(image, kept(by_fdisk(disk)), kFdisk));
}

TEST_CASE("parted leaves room for 128 entries, however few there are, and others do not")
{
  TestDisk disk = image_disk();
  disk.entry_count = 4;
  const Bytes image = image_of(disk);
  const auto last_usable = [](Bytes bytes, std::uint64_t lba) {
    set_both<std::uint64_t>(bytes, 48, lba);
    seal_both(bytes);
    return bytes;
  };
  CHECK(names(image, last_usable(by_parted(disk), kLast - 33), kParted));
  CHECK_FALSE(names(image, by_parted(disk), kParted));
  CHECK(names(image, by_sfdisk(disk), kDump));
  CHECK_FALSE(names(image, last_usable(by_sfdisk(disk), kLast - 33), kDump));
}

TEST_CASE("Bytes of unused slots are lost with a dump and with parted, and only an edit of others changes them")
{
  const TestDisk disk = image_disk();
  const auto junk = [](Bytes bytes, std::uint64_t last, std::uint64_t value) {
    for (const std::uint64_t lba : {kPrimary, last})
      put_field<std::uint64_t>(std::span(bytes), get_field<std::uint64_t>(bytes, lba * 512 + 72) * 512 + 6 * 128 + 56,
                               value);
    seal(bytes, kPrimary);
    seal(bytes, last);
    return bytes;
  };
  const Bytes image = junk(image_of(disk), 511, 5);
  for (const auto& [tool, bytes] : {std::pair{kDump, by_sfdisk(disk)}, std::pair{kParted, by_parted(disk)}}) {
    CHECK(names(image, bytes, tool));
    CHECK_FALSE(names(image, junk(bytes, kLast, 5), tool));
    CHECK_FALSE(names(image, junk(bytes, kLast, 6), tool));
  }
  for (const auto& [tool, edited, bytes] :
       {std::tuple{kSgdisk, kSgdiskEdited, by_gdisk(disk)}, std::tuple{kFdisk, kFdiskEdited, by_fdisk(disk)}}) {
    CHECK(names(image, junk(bytes, kLast, 5), tool));
    CHECK_FALSE(names(image, bytes, tool));
    Bytes other = bytes;
    set_entry<std::uint8_t>(other, 2, 16, 0x11);
    set_entry<std::uint8_t>(other, 4, 16, 0x11);
    seal_both(other);
    CHECK(names(image, other, edited));
  }
}

TEST_CASE("A tool puts the backup into the last LBA, keeps the size of an entry, and sorts also what is empty")
{
  const TestDisk disk = image_disk();
  const Bytes image = image_of(disk);
  for (const auto& [tool, bytes] : {std::pair{kSgdisk, by_gdisk(disk)}, std::pair{kFdisk, by_fdisk(disk)},
                                    std::pair{kDump, by_sfdisk(disk)}, std::pair{kParted, by_parted(disk)}}) {
    Bytes larger = bytes;
    larger.resize(larger.size() + 100 * 512);
    set<std::uint32_t>(larger, 0, 458, kLast + 100);
    CHECK_FALSE(names(image, larger, tool));
  }
  TestDisk wide = disk, narrow = disk;
  wide.first_usable_lba = narrow.first_usable_lba = 80;
  wide.entry_size = 256;
  wide.entries = narrow.entries = {{1, 80, 95, 4}};
  CHECK(names(image_of(wide), by_fdisk(wide), kFdisk));
  CHECK_FALSE(names(image_of(narrow), by_fdisk(wide), kFdisk));
  TestDisk empty = disk;
  empty.entries.clear();
  CHECK(names(image_of(empty), by_gdisk(empty), kSorted));
  // An empty table in the place of one with larger entries: its array is at LBA 2, its backup in the last LBA.
  empty.first_usable_lba = 80;
  const Bytes emptied = by_gdisk(empty);
  CHECK(names(image_of(wide), emptied, kSgdisk));
  Bytes elsewhere = emptied, larger = emptied;
  set<std::uint64_t>(elsewhere, kPrimary, 72, 10);
  seal(elsewhere, kPrimary);
  larger.resize(larger.size() + 100 * 512);
  set<std::uint32_t>(larger, 0, 458, kLast + 100);
  CHECK_FALSE(names(image_of(wide), elsewhere, kSgdisk));
  CHECK_FALSE(names(image_of(wide), larger, kSgdisk));
}

TEST_CASE("A usable area that ends too early is taken to the backup again, also on a disk of the image's size")
{
  TestDisk disk = image_disk();
  disk.sectors = disk.disk_end = kSectorsThen;
  Bytes image = image_of(disk);
  set_both<std::uint64_t>(image, 48, 600);
  seal_both(image);
  CHECK(names(image, by_fdisk(image_disk()), kFdisk));
  CHECK(names(image, by_sfdisk(image_disk()), kDump));
}
