// SPDX-License-Identifier: BSD-3-Clause
#include "core/compare/slot_matching.h"

#include <algorithm>
#include <tuple>

namespace gptgrow {

namespace {

using Bytes = std::span<const std::byte>;
using Kind = SlotDifference::Kind;

class SlotMatcher {
public:
  SlotMatcher(const FoundTable& a, const FoundTable& b)
      : a_(a),
        b_(b),
        free_a_(used_slots(a)),
        free_b_(used_slots(b)),
        fields_(entry_fields(std::min(a.header.entry_size_bytes(), b.header.entry_size_bytes())))
  {
  }

  MatchedSlots match()
  {
    // The same slot first: of entries that share a GUID, none has moved needlessly.
    match_by([](std::uint32_t slot, Bytes bytes) { return std::pair(slot, get_guid(bytes, 16)); });
    match_by([](std::uint32_t, Bytes bytes) { return get_guid(bytes, 16); });
    match_by([](std::uint32_t, Bytes bytes) {
      return std::tuple(get_field<std::uint64_t>(bytes, kFirstLbaOffset),
                        get_field<std::uint64_t>(bytes, kLastLbaOffset), get_guid(bytes, 0));
    });
    for (const std::uint32_t slot : free_a_)
      result_.differences.push_back({.kind = Kind::only_in_a, .slot_a = slot});
    for (const std::uint32_t slot : free_b_)
      result_.differences.push_back({.kind = Kind::only_in_b, .slot_b = slot});
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
    const auto keyed = [&](const FoundTable& table, std::vector<std::uint32_t>& slots) {
      std::vector<std::pair<decltype(key(0, Bytes())), std::uint32_t>> result;
      result.reserve(slots.size());
      for (const std::uint32_t slot : slots)
        result.emplace_back(key(slot, slot_bytes(table, slot)), slot);
      std::ranges::sort(result);
      slots.clear();
      return result;
    };
    const auto by_key_a = keyed(a_, free_a_), by_key_b = keyed(b_, free_b_);
    auto a = by_key_a.begin(), b = by_key_b.begin();
    while (a != by_key_a.end() || b != by_key_b.end()) {
      if (b == by_key_b.end() || (a != by_key_a.end() && a->first < b->first))
        free_a_.push_back(a++->second);
      else if (a == by_key_a.end() || b->first < a->first)
        free_b_.push_back(b++->second);
      else
        pair(a++->second, b++->second);
    }
  }

  void pair(std::uint32_t slot_a, std::uint32_t slot_b)
  {
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
      if (!is_used(a) && !is_used(b) && !std::ranges::equal(a, b))
        result_.differences.push_back({.kind = Kind::unused, .slot_a = slot, .slot_b = slot});
    }
  }

  const FoundTable &a_, &b_;
  std::vector<std::uint32_t> free_a_, free_b_;  // used slots that are not matched yet
  std::vector<NamedField> fields_;
  MatchedSlots result_;
};

}  // namespace

MatchedSlots match_slots(const FoundTable& a, const FoundTable& b)
{
  return SlotMatcher(a, b).match();
}

}  // namespace gptgrow
