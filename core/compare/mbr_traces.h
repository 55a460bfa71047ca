// SPDX-License-Identifier: BSD-3-Clause
// Which known tools could have made one MBR from another. Internal to core/repair.
#pragma once

#include "core/compare/compare.h"
#include "core/gpt/mbr.h"

namespace gptgrow {

/// Who writes the table, and so what becomes of all but the entries.
enum class Writer {
  copy,  // nothing is written but the image
  gdisk,
  fdisk,   // libfdisk, a table that it has read
  sfdisk,  // libfdisk, a new table from a dump
  parted,
};

/// The table of a disk, and what lies before and behind it.
struct Side {
  std::vector<std::byte> mbr;  // a whole sector
  const FoundTables& tables;
  Lba last_lba;

  const Header& header() const { return tables.primary.header; }
  std::span<const std::byte> record(std::size_t i) const { return std::span(mbr).subspan(446 + 16 * i, 16); }
};

/// Whether both have the same bytes there.
bool same_part(std::span<const std::byte> a, std::span<const std::byte> b, std::size_t offset, std::size_t size);

/// Precondition: both have a valid primary table. All must outlive this.
class MbrTraces {
public:
  MbrTraces(const Side& a, const Side& b, const std::vector<SlotDifference>& slots);

  bool could_be(Writer writer) const;

private:
  /// What EndingCHS is: calculated means from a geometry that only that machine knows.
  enum class Chs { largest, calculated };

  bool ending_chs(Chs chs) const;
  bool protective(std::uint8_t boot_indicator, Chs chs) const;
  bool records_kept() const;
  bool may_be_deleted(const MbrRecord& record) const;
  bool is_deleted(const MbrRecord& record) const;

  const Side &a_, &b_;
  const std::vector<SlotDifference>& slots_;
  bool is_hybrid_;
};

}  // namespace gptgrow
