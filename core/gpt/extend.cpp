// SPDX-License-Identifier: BSD-3-Clause
#include "core/gpt/extend.h"

#include "core/error.h"
#include "core/gpt/header.h"
#include "core/gpt/mbr.h"

#include <algorithm>
#include <charconv>

namespace gptgrow {

namespace {

constexpr std::string_view kEndsLast = "last";

/// What a partition ends on the multiple of: the sectors of any disk, and the blocks of most file systems.
constexpr std::uint64_t kEndAlignmentBytes = 4096;

Entry entry_that_ends_last(const std::vector<Entry>& entries, const std::string& name)
{
  if (entries.empty())
    refuse("{}: no slot is used, expected one to extend", name);
  const auto last = std::ranges::max_element(entries, {}, &Entry::last_lba);
  const auto other =
      std::find_if(last + 1, entries.end(), [&](const Entry& e) { return e.last_lba == last->last_lba; });
  if (other != entries.end())
    refuse("{}: slots {} and {} both end last, at LBA {}: expected the number of the one to extend", name, last->slot,
           other->slot, last->last_lba.value);
  return *last;
}

Entry entry_in(const std::vector<Entry>& entries, std::uint32_t slot, std::uint64_t count, const std::string& name)
{
  if (slot == 0 || slot > count)
    refuse("{}: slot {}, expected 1 to {}", name, slot, count);
  const auto entry = std::ranges::find(entries, slot, &Entry::slot);
  if (entry == entries.end())
    refuse("{}: slot {} is unused, expected a partition to extend", name, slot);
  return *entry;
}

void check_is_last(const Entry& entry, const std::vector<Entry>& entries, const std::string& name)
{
  for (const Entry& other : entries)
    if (other.slot != entry.slot && std::max(other.first_lba, other.last_lba) > entry.last_lba)
      refuse("{}: slot {} cannot be extended: it ends at LBA {}, and behind that is slot {}, LBA {}-{}", name,
             entry.slot, entry.last_lba.value, other.slot, other.first_lba.value, other.last_lba.value);
}

}  // namespace

SlotToExtend parse_slot_to_extend(std::string_view text)
{
  if (text == kEndsLast)
    return {};
  std::uint32_t slot = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), slot);
  if (error != std::errc() || end != text.data() + text.size() || slot == 0)
    refuse("extend: \"{}\", expected the number of a slot, from 1 on, or {}", text, kEndsLast);
  return {slot};
}

std::optional<Lba> last_extended_lba(Lba last_usable_lba, std::uint32_t sector_size_bytes)
{
  const std::uint64_t end_bytes = bytes_of(last_usable_lba, 1, sector_size_bytes).end();
  const std::uint64_t end = end_bytes / kEndAlignmentBytes * kEndAlignmentBytes / sector_size_bytes;
  return end == 0 ? std::nullopt : std::optional(Lba{end - 1});
}

void check_not_hybrid(const Gpt& gpt, const Entry& entry, Lba last_lba, const std::string& name)
{
  for (const MbrRecord& record : mbr_records(gpt.mbr.bytes)) {
    const std::uint64_t end = std::uint64_t{record.starting_lba} + std::max(record.size_in_lba, std::uint32_t{1});
    if (record.os_type != 0 && record.os_type != kGptProtective && record.starting_lba <= last_lba.value &&
        entry.first_lba.value < end)
      refuse(
          "{}: slot {} cannot be extended: a record of the MBR, of type 0x{:02x} at LBA {}-{}, lies there too: it is "
          "a hybrid MBR, and would not say any more what the GPT says",
          name, entry.slot, record.os_type, record.starting_lba, end - 1);
  }
}

Extension extend(Gpt& gpt, SlotToExtend which, const std::string& name)
{
  const std::vector<Entry> entries = used_entries(gpt.array(), gpt.entry_size_bytes);
  const std::uint64_t count = gpt.array_size_bytes / gpt.entry_size_bytes;
  const Entry entry =
      which.number ? entry_in(entries, *which.number, count, name) : entry_that_ends_last(entries, name);
  if (entry.first_lba > entry.last_lba)
    refuse("{}: slot {} cannot be extended: StartingLBA {}, expected at most EndingLBA {}", name, entry.slot,
           entry.first_lba.value, entry.last_lba.value);
  check_is_last(entry, entries, name);
  const Lba last_usable_lba = Header(gpt.primary_header.bytes).last_usable_lba();
  const std::optional<Lba> last_lba = last_extended_lba(last_usable_lba, gpt.sector_size_bytes);
  if (!last_lba || entry.last_lba > *last_lba)
    refuse("{}: slot {} would become shorter: EndingLBA {}, expected at most {}, the last before LastUsableLBA {} that "
           "ends on a multiple of {} bytes; there is no room to extend it",
           name, entry.slot, entry.last_lba.value, last_lba.value_or(Lba{0}).value, last_usable_lba.value,
           kEndAlignmentBytes);
  check_not_hybrid(gpt, entry, *last_lba, name);
  if (entry.last_lba != *last_lba)
    set_last_lba(gpt, entry.slot, *last_lba);
  return {entry.slot, entry.first_lba, entry.last_lba, *last_lba};
}

}  // namespace gptgrow
