// SPDX-License-Identifier: BSD-3-Clause
// Writes that are cut off on a disk in memory, and what a table on it names.
#pragma once

#include "core/gpt/entry.h"
#include "core/repair/repair.h"
#include "tests/unit/catch2.h"

#include <cstring>
#include <set>

using Bytes = std::vector<std::byte>;

class PowerCut : public std::exception {};

/// In which order a disk puts the sectors of one write on its medium.
enum class Order { ascending, descending, odd_first };

// A sanitizer, and counting branches, make every state slow, and see all code in some of them.
#if defined(__SANITIZE_ADDRESS__) || defined(GPTGROW_COUNTED)
constexpr std::size_t kStep = 29;  // in sectors, from one cut to the next
constexpr bool kEveryOrder = false;
#else
constexpr std::size_t kStep = 1;
constexpr bool kEveryOrder = true;
#endif

/// A disk in memory that stops after `budget` sectors.
class FailingTarget : public gptgrow::Target {
public:
  FailingTarget(Bytes& disk, std::size_t budget, Order order, std::size_t sector_bytes = gptgrow::kAtomicBytes)
      : disk_(disk), budget_(budget), order_(order), sector_bytes_(sector_bytes)
  {
  }

  void write(std::uint64_t offset, std::span<const std::byte> bytes) override
  {
    const std::size_t count = bytes.size() / sector_bytes_;
    for (std::size_t i = 0; i < count; ++i) {
      if (budget_ == 0)
        throw PowerCut();
      --budget_;
      const std::size_t at = place(i, count) * sector_bytes_;
      std::memcpy(disk_.data() + offset + at, bytes.data() + at, sector_bytes_);
    }
    flushed_ = false;
  }

  void flush() override { flushed_ = true; }

  void read(std::uint64_t offset, std::span<std::byte> buffer) const override
  {
    REQUIRE(flushed_);
    std::memcpy(buffer.data(), disk_.data() + offset, buffer.size());
  }

private:
  std::size_t place(std::size_t i, std::size_t count) const
  {
    switch (order_) {
    case Order::ascending: break;
    case Order::descending: return count - 1 - i;
    case Order::odd_first: return i < count / 2 ? 2 * i + 1 : 2 * (i - count / 2);
    }
    return i;
  }

  Bytes& disk_;
  std::size_t budget_;
  Order order_;
  std::size_t sector_bytes_;
  bool flushed_ = false;
};

/// Type, GUID and extent of each entry, wherever its slot is.
using Partitions = std::multiset<std::string>;

inline Partitions partitions(std::span<const std::byte> array, std::uint32_t entry_size_bytes)
{
  Partitions result;
  for (const gptgrow::Entry& entry : gptgrow::used_entries(array, entry_size_bytes))
    result.insert(fmt::format("{} {} {} {}", gptgrow::guid_text(entry.type_guid),
                              gptgrow::guid_text(entry.partition_guid), entry.first_lba.value, entry.last_lba.value));
  return result;
}

inline std::size_t total_sectors(const std::vector<gptgrow::Write>& writes,
                                 std::size_t sector_bytes = gptgrow::kAtomicBytes)
{
  std::size_t count = 0;
  for (const auto& write : writes)
    count += write.after.size() / sector_bytes;
  return count;
}

inline Bytes cut_after(Bytes state, const std::vector<gptgrow::Write>& writes, std::size_t sectors, Order order,
                       std::size_t sector_bytes = gptgrow::kAtomicBytes)
{
  FailingTarget target(state, sectors, order, sector_bytes);
  CHECK_THROWS_AS(gptgrow::write_and_check(writes, target), PowerCut);
  return state;
}

inline Bytes complete(Bytes state, const std::vector<gptgrow::Write>& writes)
{
  FailingTarget target(state, SIZE_MAX, Order::ascending);
  gptgrow::write_and_check(writes, target);
  return state;
}

/// Not by the test's own ==, which would print two whole disks.
inline bool same(const Bytes& a, const Bytes& b)
{
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0;
}
