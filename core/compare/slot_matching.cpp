// SPDX-License-Identifier: BSD-3-Clause
#include "core/compare/slot_matching.h"

#include <algorithm>
#include <tuple>

namespace gptgrow {

namespace {

using Kind = SlotDifference::Kind;

class SlotMatcher {
public:
  SlotMatcher(const FoundTable& a, const FoundTable& b)
      : a_(a),
        b_(b),
        entries_a_(used_entries(a.array, a.header.entry_size_bytes())),
        entries_b_(used_entries(b.array, b.header.entry_size_bytes())),
        used_a_(a.header.entry_count() + 1),
        used_b_(b.header.entry_count() + 1),
        fields_(entry_fields(std::min(a.header.entry_size_bytes(), b.header.entry_size_bytes())))
  {
  }

  MatchedSlots match()
  {
    // The same slot first: of entries that share a GUID, none has moved needlessly.
    match_by([](const Entry& entry) { return std::pair(entry.slot, entry.partition_guid); });
    match_by([](const Entry& entry) { return entry.partition_guid; });
    match_by([](const Entry& entry) { return std::tuple(entry.first_lba, entry.last_lba, entry.type_guid); });
    for (const Entry& entry : entries_a_)
      if (!used_a_[entry.slot])
        result_.differences.push_back({.kind = Kind::only_in_a, .slot_a = entry.slot});
    for (const Entry& entry : entries_b_)
      if (!used_b_[entry.slot])
        result_.differences.push_back({.kind = Kind::only_in_b, .slot_b = entry.slot});
    compare_unused();
    std::ranges::sort(result_.same);
    std::ranges::stable_sort(result_.differences, {}, [](const SlotDifference& difference) {
      return std::pair(difference.slot_a != 0 ? difference.slot_a : difference.slot_b, difference.slot_b);
    });
    return std::move(result_);
  }

private:
  template <typename Key>
  void match_by(Key key)
  {
    using Keyed = std::pair<decltype(key(entries_a_[0])), std::uint32_t>;
    std::vector<Keyed> free_a, free_b;
    for (const Entry& entry : entries_a_)
      if (!used_a_[entry.slot])
        free_a.emplace_back(key(entry), entry.slot);
    for (const Entry& entry : entries_b_)
      if (!used_b_[entry.slot])
        free_b.emplace_back(key(entry), entry.slot);
    std::ranges::sort(free_a);
    std::ranges::sort(free_b);
    for (auto a = free_a.begin(), b = free_b.begin(); a != free_a.end() && b != free_b.end();) {
      if (a->first < b->first)
        ++a;
      else if (b->first < a->first)
        ++b;
      else
        pair(a++->second, b++->second);
    }
  }

  void pair(std::uint32_t slot_a, std::uint32_t slot_b)
  {
    used_a_[slot_a] = used_b_[slot_b] = true;
    SlotDifference difference{slot_a == slot_b ? Kind::changed : Kind::moved, 0, slot_a, slot_b};
    const auto a = slot_bytes(a_, slot_a), b = slot_bytes(b_, slot_b);
    for (std::size_t i = 0; i < fields_.size(); ++i)
      if (!std::ranges::equal(a.subspan(fields_[i].offset, fields_[i].size),
                              b.subspan(fields_[i].offset, fields_[i].size)))
        difference.changed_fields = static_cast<std::uint8_t>(difference.changed_fields | 1U << i);
    if (difference.kind == Kind::changed && difference.changed_fields == 0)
      result_.same.push_back(slot_a);
    else
      result_.differences.push_back(difference);
  }

  void compare_unused()
  {
    const std::uint32_t count = std::min(a_.header.entry_count(), b_.header.entry_count());
    if (a_.header.entry_size_bytes() != b_.header.entry_size_bytes())
      return;
    for (std::uint32_t slot = 1; slot <= count; ++slot) {
      const auto a = slot_bytes(a_, slot), b = slot_bytes(b_, slot);
      if (is_zero(a.first(16)) && is_zero(b.first(16)) && !std::ranges::equal(a, b))
        result_.differences.push_back({.kind = Kind::unused, .slot_a = slot, .slot_b = slot});
    }
  }

  const FoundTable &a_, &b_;
  std::vector<Entry> entries_a_, entries_b_;
  std::vector<bool> used_a_, used_b_;  // matched, by slot
  std::vector<NamedField> fields_;
  MatchedSlots result_;
};

}  // namespace

MatchedSlots match_slots(const FoundTable& a, const FoundTable& b)
{
  return SlotMatcher(a, b).match();
}

}  // namespace gptgrow
