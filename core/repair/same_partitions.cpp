// SPDX-License-Identifier: BSD-3-Clause
#include "core/repair/same_partitions.h"

#include "core/error.h"
#include "core/gpt/extend.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

namespace gptgrow {

namespace {

constexpr std::size_t kMaxListed = 8;

auto identity(const Entry& entry)
{
  return std::tuple(entry.partition_guid, entry.type_guid, entry.first_lba, entry.last_lba);
}

}  // namespace

std::vector<Grown> grown_partitions(const std::vector<Entry>& found, const std::vector<Entry>& wanted)
{
  std::vector<Grown> result;
  for (const Entry& image : wanted)
    for (const Entry& disk : found)
      if (disk.partition_guid == image.partition_guid && disk.type_guid == image.type_guid &&
          disk.first_lba == image.first_lba && disk.last_lba > image.last_lba)
        result.push_back({image, disk});
  return result;
}

bool contains(const std::vector<std::uint32_t>& slots, std::uint32_t slot)
{
  return std::ranges::find(slots, slot) != slots.end();
}

bool is_replaced(const std::vector<std::uint32_t>& replaced_slots, const Grown& grown)
{
  return contains(replaced_slots, grown.in_image.slot) || contains(replaced_slots, grown.on_disk.slot);
}

std::string describe(const Grown& grown)
{
  const std::string moved =
      grown.on_disk.slot == grown.in_image.slot ? "" : fmt::format(", now in slot {},", grown.on_disk.slot);
  return fmt::format("slot {}{} was grown on the disk from EndingLBA {} to {}: the image's entry would cut it off, and "
                     "destroy a file system that was grown with it",
                     grown.in_image.slot, moved, grown.in_image.last_lba.value, grown.on_disk.last_lba.value);
}

void keep_grown(const Source& disk, Gpt& gpt, const Header& primary, const std::vector<Grown>& all,
                const std::vector<Entry>& wanted)
{
  for (const Grown& grown : all) {
    const Lba last = grown.on_disk.last_lba;
    if (last > primary.last_usable_lba())
      refuse("{}: slot {}: EndingLBA {}, expected at most LastUsableLBA {}: it cannot be kept", disk.name(),
             grown.on_disk.slot, last.value, primary.last_usable_lba().value);
    for (const Entry& other : wanted)
      if (other.slot != grown.in_image.slot && other.first_lba > grown.in_image.last_lba && other.first_lba <= last)
        refuse("{}: slot {} was grown to LBA {}, over slot {} of the image at LBA {}: it cannot be kept", disk.name(),
               grown.on_disk.slot, last.value, other.slot, other.first_lba.value);
    check_not_hybrid(gpt, grown.in_image, last, disk.name());
    set_last_lba(gpt, grown.in_image.slot, last);
  }
}

void check_same_partitions(const Source& disk, const std::vector<Entry>& found, const std::string& image,
                           const std::vector<Entry>& wanted, const std::vector<std::uint32_t>& replaced_slots)
{
  std::map<decltype(identity(found[0])), std::vector<const Entry*>> missing;  // wanted, not found
  for (const Entry& entry : wanted)
    missing[identity(entry)].push_back(&entry);
  std::vector<const Entry*> foreign;
  for (const Entry& entry : found) {
    auto& same = missing[identity(entry)];
    if (same.empty())
      foreign.push_back(&entry);
    else
      same.pop_back();
  }

  const std::vector<Grown> all_grown = grown_partitions(found, wanted);
  std::vector<std::string> sentences;
  std::vector<std::uint32_t> slots, grown_slots;
  for (const Grown& grown : all_grown)
    if (!is_replaced(replaced_slots, grown)) {
      grown_slots.push_back(grown.in_image.slot);
      sentences.push_back(describe(grown));
    }
  const auto tell = [&](const std::string& path, const Entry& entry) {
    const auto is_it = [&](const Grown& grown) { return grown.in_image == entry || grown.on_disk == entry; };
    if (contains(replaced_slots, entry.slot) || std::ranges::any_of(all_grown, is_it))
      return;
    slots.push_back(entry.slot);
    sentences.push_back(fmt::format("only in {}: slot {}, LBA {}-{}, type {}, GUID {}", path, entry.slot,
                                    entry.first_lba.value, entry.last_lba.value, guid_text(entry.type_guid),
                                    guid_text(entry.partition_guid)));
  };
  for (const auto& [key, entries] : missing)
    for (const Entry* entry : entries)
      tell(image, *entry);
  for (const Entry* entry : foreign)
    tell(disk.name(), *entry);
  if (sentences.empty())
    return;
  std::string list;
  for (std::size_t i = 0; i < std::min(sentences.size(), kMaxListed); ++i)
    list += "\n  " + escaped(sentences[i]);
  if (sentences.size() > kMaxListed) {
    list += fmt::format("\n  and {} more", sentences.size() - kMaxListed);
    slots.clear();
    grown_slots.clear();
  }
  std::ranges::sort(slots);
  slots.erase(std::unique(slots.begin(), slots.end()), slots.end());
  std::vector<Hint> hints;
  if (!grown_slots.empty())
    hints.push_back({"keep-grown", "",
                     fmt::format("would keep the disk's end of slot {}, and take all else from the image",
                                 fmt::join(grown_slots, ","))});
  if (!slots.empty())
    hints.push_back(
        {"slot", fmt::format("{}", fmt::join(slots, ",")), "would give these slots the image's entries, or none"});
  throw Error(message("{}: its partitions are not those of {}:", disk.name(), image) + list, std::move(hints));
}

}  // namespace gptgrow
