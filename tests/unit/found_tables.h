// SPDX-License-Identifier: BSD-3-Clause
// The tables of a disk in memory, and bytes of it that are others.
#pragma once

#include "core/gpt/table.h"
#include "tests/unit/served_disk.h"

using Bytes = std::vector<std::byte>;

inline void flip(Bytes& bytes, std::size_t at)
{
  bytes[at] ^= std::byte{0xff};
}

inline gptgrow::FoundTables tables_of(const Bytes& bytes, std::uint32_t device_sector_size_bytes = 0)
{
  return gptgrow::find_tables(MemorySource(bytes, device_sector_size_bytes), std::nullopt);
}

inline gptgrow::Table chosen(const Bytes& bytes, gptgrow::TableChoice choice = gptgrow::TableChoice::primary)
{
  const MemorySource image(bytes);
  return gptgrow::choose_table(image, gptgrow::find_tables(image, std::nullopt), choice);
}

inline void copy(const Bytes& from, Bytes& to, gptgrow::ByteRange range)
{
  std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(range.offset), range.size,
              to.begin() + static_cast<std::ptrdiff_t>(range.offset));
}
