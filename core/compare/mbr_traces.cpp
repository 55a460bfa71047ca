// SPDX-License-Identifier: BSD-3-Clause
#include "core/compare/mbr_traces.h"

#include <algorithm>

namespace gptgrow {

namespace {

using Bytes = std::span<const std::byte>;
using Kind = SlotDifference::Kind;

bool is_hybrid(Bytes mbr)
{
  const auto records = mbr_records(mbr);
  return std::ranges::any_of(
      records, [](const MbrRecord& record) { return record.os_type != 0 && record.os_type != kGptProtective; });
}

bool lies_at(const Entry& entry, const MbrRecord& record)
{
  const std::uint64_t first = record.starting_lba;
  return entry.first_lba == Lba{first} && entry.last_lba == Lba{first + record.size_in_lba - 1};
}

}  // namespace

bool same_part(Bytes a, Bytes b, std::size_t offset, std::size_t size)
{
  return std::ranges::equal(a.subspan(offset, size), b.subspan(offset, size));
}

MbrTraces::MbrTraces(const Side& a, const Side& b, const std::vector<SlotDifference>& slots)
    : a_(a), b_(b), slots_(slots), is_hybrid_(is_hybrid(a.mbr))
{
}

bool MbrTraces::could_be(Writer writer) const
{
  const auto kept = [&](std::size_t offset, std::size_t size) { return same_part(a_.mbr, b_.mbr, offset, size); };
  // Of a larger sector some write 512 bytes, and zeros behind them.
  const bool is_padded = writer == Writer::gdisk || writer == Writer::sfdisk;
  if (!kept(0, 440) || !(is_padded ? is_zero(Bytes(b_.mbr).subspan(512)) : kept(512, a_.mbr.size() - 512)))
    return false;
  const bool signature_kept = kept(440, 6), signature_zero = is_zero(Bytes(b_.mbr).subspan(440, 6));
  switch (writer) {
  case Writer::gdisk:
    if (is_hybrid_ && is_hybrid(b_.mbr))
      return signature_kept && records_kept();
    return (!is_hybrid_ || records_kept()) && signature_zero && protective(0, Chs::calculated);
  case Writer::fdisk: return signature_kept && (is_hybrid_ ? kept(446, 64) : protective(0, Chs::largest));
  case Writer::sfdisk: return signature_zero && protective(0, Chs::largest);
  case Writer::parted: return signature_kept && protective(a_.record(0)[0] == std::byte{0x80} ? 0x80 : 0, Chs::largest);
  case Writer::copy: break;
  }
  return false;
}

bool MbrTraces::ending_chs(Chs chs) const
{
  // No geometry of fewer heads is in use: on a larger disk the calculation may end at the largest value too.
  constexpr std::uint64_t kLeastLimit = 1024 * 16 * 63;
  const bool is_largest = to_hex(b_.record(0).subspan(5, 3)) == "ffffff";
  return is_largest == (chs == Chs::largest) || (chs == Chs::calculated && b_.last_lba.value >= kLeastLimit);
}

/// The first record protects the whole disk, as it is written anew.
bool MbrTraces::protective(std::uint8_t boot_indicator, Chs chs) const
{
  const Bytes first = b_.record(0);
  const auto size = static_cast<std::uint32_t>(std::min<std::uint64_t>(b_.last_lba.value, UINT32_MAX));
  return first[0] == std::byte{boot_indicator} && to_hex(first.subspan(1, 3)) == "000200" &&
         first[4] == std::byte{kGptProtective} && ending_chs(chs) && get_field<std::uint32_t>(first, 8) == 1 &&
         get_field<std::uint32_t>(first, 12) == size && is_zero(Bytes(b_.mbr).subspan(462, 48)) &&
         get_field<std::uint16_t>(b_.mbr, 510) == 0xaa55;
}

/// All but the CHS of the records for partitions, each of which gdisk deletes with its partition; those that protect
/// the rest may be fitted around them. With the last of them the MBR is written anew.
bool MbrTraces::records_kept() const
{
  const auto a = mbr_records(a_.mbr), b = mbr_records(b_.mbr);
  const bool anew = !is_hybrid(b_.mbr);
  for (std::size_t i = 0; i < a.size(); ++i) {
    const bool emptied = anew || is_zero(b_.record(i));
    if (a[i].os_type == 0 || a[i].os_type == kGptProtective) {
      if (!anew && a[i] != b[i] && (a[i].os_type == 0 || b[i].os_type != kGptProtective))
        return false;
    } else if (emptied ? !may_be_deleted(a[i]) : a[i] != b[i] || is_deleted(a[i]))
      return false;
  }
  return true;
}

/// A changed partition may have been deleted and made again.
bool MbrTraces::may_be_deleted(const MbrRecord& record) const
{
  return std::ranges::any_of(slots_, [&](const SlotDifference& slot) {
    return (slot.kind == Kind::only_in_a || slot.kind == Kind::changed) &&
           lies_at(entry_in(a_.tables.primary, slot.slot_a), record);
  });
}

bool MbrTraces::is_deleted(const MbrRecord& record) const
{
  const auto is_there = [&](const Entry& entry) { return lies_at(entry, record); };
  const auto left = used_entries(b_.tables.primary.array, b_.header().entry_size_bytes());
  return may_be_deleted(record) && std::ranges::none_of(left, is_there);
}

}  // namespace gptgrow
