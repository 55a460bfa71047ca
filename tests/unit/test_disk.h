// SPDX-License-Identifier: BSD-3-Clause
// A small GPT disk in memory, made field by field.
#pragma once

#include "core/gpt/fields.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

struct TestEntry {
  std::uint32_t slot;
  std::uint64_t first_lba;
  std::uint64_t last_lba;
  std::uint8_t id;  // in its GUID
};

struct TestDisk {
  std::uint32_t sector_size = 512;
  std::uint64_t sectors = 512;
  std::uint64_t disk_end = 512;  // the sectors that the table knows of
  std::uint32_t entry_count = 128;
  std::uint32_t entry_size = 128;
  std::uint32_t header_size = 92;
  std::uint64_t primary_array_lba = 2;
  std::uint64_t first_usable_lba = 48;
  std::uint8_t boot_indicator = 0x80;
  std::uint8_t header_tail = 0;
  std::vector<TestEntry> entries;

  std::uint64_t array_sectors() const { return (entry_count * entry_size + sector_size - 1) / sector_size; }

  std::vector<std::byte> array() const
  {
    std::vector<std::byte> bytes(entry_count * entry_size);
    for (const TestEntry& entry : entries) {
      const auto slot = std::span(bytes).subspan((entry.slot - 1) * entry_size, entry_size);
      for (std::size_t i = 0; i < 16; ++i) {
        slot[i] = std::byte{0xa5};
        slot[16 + i] = std::byte{entry.id};
      }
      gptgrow::put_field(slot, 32, entry.first_lba);
      gptgrow::put_field(slot, 40, entry.last_lba);
    }
    return bytes;
  }

  void put_header(std::vector<std::byte>& disk, std::uint64_t at, std::uint64_t alternate,
                  std::uint64_t array_lba) const
  {
    using gptgrow::put_field;
    const auto sector = std::span(disk).subspan(at * sector_size, sector_size);
    std::memcpy(sector.data(), "EFI PART", 8);
    put_field<std::uint32_t>(sector, 8, 0x00010000);
    put_field<std::uint32_t>(sector, 12, header_size);
    put_field<std::uint32_t>(sector, 16, 0);
    put_field<std::uint64_t>(sector, 24, at);
    put_field<std::uint64_t>(sector, 32, alternate);
    put_field<std::uint64_t>(sector, 40, first_usable_lba);
    put_field<std::uint64_t>(sector, 48, disk_end - 2 - array_sectors());
    std::memset(sector.data() + 56, 0xd1, 16);
    put_field<std::uint64_t>(sector, 72, array_lba);
    put_field<std::uint32_t>(sector, 80, entry_count);
    put_field<std::uint32_t>(sector, 84, entry_size);
    put_field<std::uint32_t>(sector, 88, gptgrow::crc32(array()));
    std::memset(sector.data() + 92, header_tail, sector_size - 92);
    put_field<std::uint32_t>(sector, 16, gptgrow::crc32(sector.first(header_size)));
    std::memcpy(disk.data() + array_lba * sector_size, array().data(), array().size());
  }

  /// The byte at N is 7 N + N / 256, of which each 64 KiB are the same: copied, which a sanitizer does not mind.
  static void fill(std::vector<std::byte>& disk, std::uint64_t begin, std::uint64_t end)
  {
    static const std::vector<std::byte> period = [] {
      std::vector<std::byte> bytes(64 * 1024);
      for (std::size_t at = 0; at < bytes.size(); ++at)
        bytes[at] = static_cast<std::byte>(at * 7 + at / 256);
      return bytes;
    }();
    for (std::uint64_t at = begin; at < end;) {
      const std::uint64_t from = at % period.size(), count = std::min(period.size() - from, end - at);
      std::memcpy(disk.data() + at, period.data() + from, count);
      at += count;
    }
  }

  std::vector<std::byte> bytes() const
  {
    std::vector<std::byte> disk(sectors * sector_size);
    std::memset(disk.data(), 0xb0, 440);
    disk[446] = std::byte{boot_indicator};
    disk[450] = std::byte{0xee};
    gptgrow::put_field<std::uint32_t>(disk, 454, 1);
    gptgrow::put_field<std::uint32_t>(disk, 458, static_cast<std::uint32_t>(disk_end - 1));
    gptgrow::put_field<std::uint16_t>(disk, 510, 0xaa55);
    fill(disk, first_usable_lba * sector_size, (disk_end - array_sectors() - 1) * sector_size);
    put_header(disk, 1, disk_end - 1, primary_array_lba);
    put_header(disk, disk_end - 1, 1, disk_end - 1 - array_sectors());
    return disk;
  }
};
