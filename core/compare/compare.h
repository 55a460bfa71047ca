// SPDX-License-Identifier: BSD-3-Clause
// The diagnosis: how the partition table of a disk (B) differs from what it should be, which an image (A) tells.
// What moves with the end of the disk is no difference.
#pragma once

#include "core/compare/findings.h"
#include "core/compare/named_fields.h"
#include "core/gpt/table.h"

namespace gptgrow {

enum class Part { mbr, primary_header, backup_header };

/// A field of MBR or header that differs, with both values in words.
struct FieldDifference {
  Part part = Part::mbr;
  FieldId id = FieldId::other;
  bool is_state = false;  // the header as a whole is not what it was; no field
  std::string field;
  std::string a;
  std::string b;
};

/// What became of the entry in one slot.
struct SlotDifference {
  enum class Kind : std::uint8_t {
    moved,      // the entry of slot_a is in slot_b; fields may differ too
    changed,    // same slot, same partition, fields differ
    only_in_a,  // slot_b is 0
    only_in_b,  // slot_a is 0
    unused,     // unused on both sides, other bytes
  };
  Kind kind = Kind::changed;
  std::uint8_t changed_fields = 0;  // bit n: the nth of entry_fields() differs
  std::uint32_t slot_a = 0;
  std::uint32_t slot_b = 0;
};

struct Comparison {
  std::shared_ptr<const Source> a, b;
  FoundTables tables_a, tables_b;  // of each, only the table that counts still has its array; rival, strays: none
  std::vector<std::uint32_t> same_slots;  // used, and equal to the last bit
  std::vector<SlotDifference> slots;      // by slot of A, then of B
  std::vector<FieldDifference> fields;    // of MBR and headers
  std::vector<Finding> findings;          // in the order of Trace
  std::vector<std::string> tools;         // each of them could have made B from A

  bool same() const { return slots.empty() && fields.empty(); }

  /// The table that counts: the primary where it is valid, else the backup.
  const FoundTable& table_a() const;
  const FoundTable& table_b() const;
};

/// The bytes of a slot. Precondition: the table has it.
std::span<const std::byte> slot_bytes(const FoundTable& table, std::uint32_t slot);

/// The slots that are used, ascending.
std::vector<std::uint32_t> used_slots(const FoundTable& table);

/// StartingLBA of a slot.
Lba first_lba_in(const FoundTable& table, std::uint32_t slot);

/// The entry in a used slot.
Entry entry_in(const FoundTable& table, std::uint32_t slot);

/// Whether all that has changed of the slot is its EndingLBA, which is where extend() moves it on B.
bool is_extended(const Comparison& comparison, const SlotDifference& slot);

/// The slot, where a partition that is extended is all that differs.
std::optional<std::uint32_t> only_extended(const Comparison& comparison);

/// Compares the tables that count. Throws Error when one side has none.
Comparison compare(std::shared_ptr<const Source> a, std::shared_ptr<const Source> b,
                   std::optional<std::uint32_t> sector_size_bytes);

}  // namespace gptgrow
