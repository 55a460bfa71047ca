// SPDX-License-Identifier: BSD-3-Clause
#include "core/gpt/gpt.h"

#include "core/error.h"
#include "core/gpt/header.h"

#include <algorithm>
#include <set>

namespace gptgrow {

namespace {

void seal(Structure& structure, std::uint32_t array_crc32)
{
  Header header(std::move(structure.bytes));
  header.set_array_crc32(array_crc32);
  header.seal();
  structure.bytes.assign(header.sector().begin(), header.sector().end());
}

void seal_headers(Gpt& gpt)
{
  const std::uint32_t array_crc32 = crc32(gpt.array());
  seal(gpt.primary_header, array_crc32);
  seal(gpt.backup_header, array_crc32);
}

}  // namespace

std::vector<const Structure*> Gpt::all() const
{
  std::vector<const Structure*> result{&mbr, &primary_header, &primary_array, &backup_array, &backup_header};
  for (const Structure& structure : old_backup)
    result.push_back(&structure);
  return result;
}

void move_slots(Gpt& gpt, const std::vector<SlotMove>& moves)
{
  const std::size_t size = gpt.entry_size_bytes;
  const std::size_t count = gpt.array_size_bytes / size;
  const std::vector<std::byte> old(gpt.array().begin(), gpt.array().end());
  const auto old_slot = [&](std::uint32_t slot) { return std::span(old).subspan((slot - 1) * size, size); };
  const auto is_used = [&](std::uint32_t slot) { return !get_guid(old_slot(slot), 0).is_nil(); };

  std::set<std::uint32_t> from, to;
  for (const SlotMove& move : moves) {
    for (const std::uint32_t slot : {move.from, move.to})
      if (slot == 0 || slot > count)
        refuse("move {}:{}: slot {}, expected 1 to {}", move.from, move.to, slot, count);
    if (!from.insert(move.from).second || !to.insert(move.to).second)
      refuse("move {}:{}: a slot is named twice", move.from, move.to);
    if (!is_used(move.from))
      refuse("move {}:{}: slot {} has no entry to move", move.from, move.to, move.from);
  }
  for (const SlotMove& move : moves)
    if (is_used(move.to) && !from.contains(move.to))
      refuse("move {}:{}: slot {} is used, its entry would be lost; move it too", move.from, move.to, move.to);

  for (Structure* array : {&gpt.primary_array, &gpt.backup_array}) {
    const auto slot = [&](std::uint32_t number) { return std::span(array->bytes).subspan((number - 1) * size, size); };
    for (const SlotMove& move : moves)
      std::ranges::fill(slot(move.from), std::byte{0});
    for (const SlotMove& move : moves)
      std::ranges::copy(old_slot(move.from), slot(move.to).begin());
  }
  seal_headers(gpt);
}

void set_last_lba(Gpt& gpt, std::uint32_t slot, Lba last_lba)
{
  const std::size_t offset = std::size_t{slot - 1} * gpt.entry_size_bytes + kLastLbaOffset;
  for (Structure* array : {&gpt.primary_array, &gpt.backup_array})
    put_field(std::span(array->bytes), offset, last_lba.value);
  seal_headers(gpt);
}

}  // namespace gptgrow
