// SPDX-License-Identifier: BSD-3-Clause
// The diagnosis: how the partition table of a disk (B) differs from what it should be, which an image (A) tells.
// What moves with the end of the disk is no difference.
#pragma once

#include "core/repair/structures.h"

namespace gptgrow {

/// A field that differs, with both values in words.
struct FieldDifference {
  std::string structure;  // "MBR", "primary header", "backup header", "backup"; empty for a slot's field
  std::string field;
  std::string a;
  std::string b;
};

/// What became of the entry in one slot.
struct SlotDifference {
  enum class Kind {
    moved,      // the entry of slot_a is in slot_b; `fields` may differ too
    changed,    // same slot, same partition, `fields` differ
    only_in_a,  // slot_b is 0
    only_in_b,  // slot_a is 0
    unused,     // unused on both sides, other bytes
  };
  Kind kind = Kind::changed;
  std::uint32_t slot_a = 0;
  std::uint32_t slot_b = 0;
  std::optional<Entry> a;
  std::optional<Entry> b;
  std::vector<FieldDifference> fields;
};

/// What a tool that rewrites a table from its own list leaves behind.
enum class Trace {
  gap_closed,
  entries_sorted,
  entries_moved,    // to other slots, in no such order
  extents_changed,  // of a partition; all but growth at the end
  partition_grown,
  partition_guids_changed,
  entries_missing,
  entries_added,
  entry_fields_changed,  // names, attributes, types
  unused_slots_changed,
  disk_guid_changed,
  array_moved,
  array_shape_changed,
  header_tail_lost,
  header_changed,  // other fields
  backup_left_behind,
  backup_bad,  // missing, damaged or of another table
  primary_bad,
  active_flag_cleared,
  disk_signature_zeroed,
  chs_rewritten,
  hybrid_lost,
  mbr_changed,  // otherwise
};

struct Comparison {
  Image a, b;
  FoundTables tables_a, tables_b;
  std::vector<std::uint32_t> same_slots;  // used, and equal to the last bit
  std::vector<SlotDifference> slots;      // by slot of A, then of B
  std::vector<FieldDifference> fields;    // of MBR and headers
  std::vector<Trace> traces;              // in the order of the enumeration
  std::vector<std::string> patterns;      // a sentence for each trace
  std::vector<std::string> tools;         // known to leave exactly these traces on A

  bool same() const { return slots.empty() && fields.empty(); }
};

/// Compares the tables that count: the primary where it is valid, else the backup. Throws Error when one side has none.
Comparison compare(Image a, Image b, std::optional<std::uint32_t> sector_size_bytes);

}  // namespace gptgrow
