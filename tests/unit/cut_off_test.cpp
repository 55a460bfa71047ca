// SPDX-License-Identifier: BSD-3-Clause
// What is known of a run that was cut off: here each fact by itself; in_place_test.cpp tries all of them together.
#include "core/gpt/which_backup.h"
#include "core/repair/cut_off.h"
#include "tests/unit/memory_source.h"
#include "tests/unit/power_cut.h"
#include "tests/unit/served_disk.h"

#include <array>

using namespace gptgrow;

namespace {

constexpr std::uint64_t kThen = 511, kNow = 699;  // last LBAs

/// A disk that has grown, with the backup where it was.
Bytes left_behind(bool has_backup = true)
{
  TestDisk disk = two_partitions();
  disk.sectors = kNow + 1;
  Bytes bytes = disk.bytes();
  if (!has_backup)
    std::fill_n(bytes.begin() + 479 * 512, 33 * 512, std::byte{0});
  return bytes;
}

/// A disk that ends where its table says.
Bytes at_the_end()
{
  TestDisk disk = two_partitions();
  disk.sectors = disk.disk_end = kNow + 1;
  return disk.bytes();
}

std::span<std::byte> sector(Bytes& disk, std::uint64_t lba)
{
  return std::span(disk).subspan(lba * 512, 512);
}

void seal_header(Bytes& disk, std::uint64_t lba)
{
  Header header({sector(disk, lba).begin(), sector(disk, lba).end()});
  header.seal();
  std::ranges::copy(header.sector(), sector(disk, lba).begin());
}

template <typename Find>
auto found_on(const Bytes& bytes, Find find)
{
  const MemorySource disk(bytes);
  return find(disk, find_tables(disk, 512));
}

}  // namespace

TEST_CASE("A mark is never the right CRC, whatever the MBR is")
{
  Bytes disk = at_the_end(), mbr(512, std::byte{0x5a});
  const Header sealed({sector(disk, kNow).begin(), sector(disk, kNow).end()});
  const auto mark_with = [&](std::uint32_t disk_signature) {
    put_field(std::span(mbr), 440, disk_signature);
    return unsealed_mark(sealed, mbr, true);
  };
  // A CRC is linear: the signature that would make the mark the right CRC is found by elimination.
  const std::uint32_t zero = mark_with(0);
  std::array<std::pair<std::uint32_t, std::uint32_t>, 32>
      basis{};  // by its highest bit: a CRC, and the signature for it
  for (unsigned bit = 0; bit < 32; ++bit) {
    std::uint32_t signature = 1U << bit, crc = mark_with(signature) ^ zero;
    for (unsigned top = 32; top-- > 0;)
      if ((crc >> top & 1) != 0) {
        if (basis[top].first == 0) {
          basis[top] = {crc, signature};
          break;
        }
        crc ^= basis[top].first;
        signature ^= basis[top].second;
      }
  }
  std::uint32_t left = sealed.header_crc32() ^ zero, signature = 0;
  for (unsigned top = 32; top-- > 0;)
    if ((left >> top & 1) != 0) {
      left ^= basis[top].first;
      signature ^= basis[top].second;
    }
  REQUIRE(left == 0);
  CHECK(mark_with(signature) == ~sealed.header_crc32());
  CHECK(unsealed_mark(sealed, mbr, false) != mark_with(signature));
}

TEST_CASE("A header in the last LBA is a new backup where it fits the primary, sealed or not, and nothing else is")
{
  const auto found = [](const Bytes& bytes) { return found_on(bytes, find_new_backup); };
  const Bytes good = at_the_end();
  const auto sealed = found(good);
  REQUIRE(sealed);
  CHECK(sealed->is_sealed);
  Bytes bytes = good;
  put_field<std::uint32_t>(sector(bytes, kNow), kHeaderCrc32Offset, 0x12345678);
  const auto unsealed = found(bytes);
  REQUIRE(unsealed);
  CHECK_FALSE(unsealed->is_sealed);
  CHECK(unsealed->mark == 0x12345678);
  CHECK(std::ranges::equal(unsealed->header.sector(), sealed->header.sector()));

  CHECK_FALSE(found(left_behind()));
  CHECK_FALSE(found(Bytes(good.begin(), good.begin() + 1024)));
  struct Field {
    const char* name;
    std::size_t at;
    std::uint64_t value;
    std::size_t size;
  };
  for (const auto& [name, at, value, size] : {
           Field{"Signature", 0, 0, 8},
           Field{"Revision", 8, 0x00010001, 4},
           Field{"HeaderSize below", 12, 91, 4},
           Field{"HeaderSize beyond", 12, 513, 4},
           Field{"MyLBA", 24, kNow - 1, 8},
           Field{"AlternateLBA", 32, 2, 8},
           Field{"FirstUsableLBA", 40, 47, 8},
           Field{"LastUsableLBA", 48, 47, 8},
           Field{"DiskGUID", 56, 7, 8},
           Field{"NumberOfPartitionEntries", 80, 124, 4},
           Field{"SizeOfPartitionEntry", 84, 256, 4},
       }) {
    CAPTURE(name);
    Bytes other = good;
    std::memcpy(sector(other, kNow).data() + at, &value, size);
    CHECK_FALSE(found(other));
  }
  Bytes other = good;
  put_field<std::uint32_t>(sector(other, kNow), 84, 256);
  put_field<std::uint64_t>(sector(other, kNow), 72, 600);
  CHECK_FALSE(found(other));
}

TEST_CASE("From the first write to the seal the header and the MBR that are to be are known")
{
  const bool has_backup = GENERATE(true, false);
  const Bytes before = left_behind(has_backup);
  const std::vector<gptgrow::Write> writes = plan_in_place(MemorySource(before), {}).writes;
  const Bytes after = complete(before, writes);
  REQUIRE(writes.front().what == "backup header");
  std::size_t under_seal = 0, sectors = 0;
  for (std::size_t i = 1; i < writes.size() && writes[i].offset != writes.front().offset; ++i)
    under_seal += writes[i].after.size() / 512;
  CHECK_FALSE(found_on(before, find_unsealed));
  for (sectors = 1; sectors <= 1 + under_seal; ++sectors) {
    CAPTURE(sectors);
    const auto found = found_on(cut_after(before, writes, sectors, Order::ascending), find_unsealed);
    REQUIRE(found);
    CHECK(found->had_backup == has_backup);
    CHECK(std::ranges::equal(found->mbr, std::span(after).first(512)));
    CHECK(std::ranges::equal(found->header.sector(), std::span(after).last(512)));
  }
  Bytes state = cut_after(before, writes, sectors, Order::ascending);
  CHECK_FALSE(found_on(state, find_unsealed));
  // A mark that stands for another MBR, or for nothing.
  state = cut_after(before, writes, 1, Order::ascending);
  state[0] ^= std::byte{1};
  CHECK_FALSE(found_on(state, find_unsealed));
}

TEST_CASE("A backup is put back as it was, unless it could not have been there")
{
  const Bytes before = left_behind();
  const MemorySource disk(before);
  const FoundTables tables = find_tables(disk, 512);
  Bytes after = complete(before, plan_in_place(disk, {}).writes);
  const Header moved({sector(after, kNow).begin(), sector(after, kNow).end()});
  Bytes wiped = before;
  std::fill_n(wiped.begin() + 479 * 512, 33 * 512, std::byte{0});
  const MemorySource without(wiped);
  Patched patched(without);
  REQUIRE(put_moved_back(patched, tables, moved));
  CHECK(same(read_bytes(patched, {0, before.size()}), before));

  // Of 32 sectors, and moved by 188: it ended at LBA 510 at most, and began behind the primary header.
  const auto can_be = [&](std::uint64_t array_lba, const FoundTables& found) {
    Header other = moved;
    other.set_partition_entry_lba(Lba{array_lba});
    Patched any(without);
    return put_moved_back(any, found, other);
  };
  for (const std::uint64_t array_lba : {190U, 600U, 667U})
    CHECK(can_be(array_lba, tables));
  for (const std::uint64_t array_lba : {2U, 189U, 668U, 700U})
    CHECK_FALSE(can_be(array_lba, tables));
  FoundTables shrunk = tables;
  shrunk.last_lba = Lba{kThen - 1};
  CHECK_FALSE(can_be(478, shrunk));
}

TEST_CASE("A primary header that alone is missing is known, and none where anything else is")
{
  const Bytes before = left_behind();
  const std::vector<gptgrow::Write> writes = plan_in_place(MemorySource(before), {.extend = SlotToExtend{}}).writes;
  const std::size_t sectors = total_sectors(writes);
  REQUIRE(writes.back().what == "primary header");
  const auto found = [](const Bytes& bytes) { return found_on(bytes, missing_primary_header); };
  const Bytes good = cut_after(before, writes, sectors - 1, Order::ascending);
  const auto header = found(good);
  REQUIRE(header);
  CHECK(std::ranges::equal(header->sector(), writes.back().after));

  CHECK_FALSE(found(before));
  CHECK_FALSE(found(complete(before, writes)));
  const auto changed = [&](std::size_t at, bool seal = false) {
    Bytes bytes = good;
    bytes[at] ^= std::byte{1};
    if (seal)
      seal_header(bytes, 1);
    return found(bytes);
  };
  CHECK(changed(512 + 32, true));                     // where its backup was does not count
  CHECK_FALSE(changed(512 + 100 - 16));               // the primary header's CRC is wrong
  CHECK_FALSE(changed(512 + 24, true));               // it is right, and the header is not
  CHECK_FALSE(changed(kNow * 512 + 16));              // the new backup is not sealed
  CHECK_FALSE(changed(kNow * 512));                   // there is none
  CHECK_FALSE(changed((kNow - 32) * 512 + 5 * 128));  // its array is damaged
  CHECK_FALSE(changed(1024 + 5 * 128));               // the primary's is another one
}
