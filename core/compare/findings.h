// SPDX-License-Identifier: BSD-3-Clause
// What the differences between two tables amount to: traces that tools leave.
#pragma once

#include <string>
#include <vector>

namespace gptgrow {

struct Comparison;

enum class Trace {
  gap_closed,
  entries_sorted,
  entries_moved,       // to other slots, in no such order
  extents_changed,     // of a partition; all but growth at the end
  partition_extended,  // as far as it can be, and nothing else of it
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
  protective_record_lost,
  active_flag_cleared,
  disk_signature_zeroed,
  chs_rewritten,
  hybrid_lost,
  mbr_changed,  // otherwise
};

/// A trace, with a sentence that names all that bears it.
struct Finding {
  Trace trace = Trace::mbr_changed;
  std::string text;
};

/// In the order of Trace, each once. Only slots and fields of `comparison` need to be there.
std::vector<Finding> findings_of(const Comparison& comparison);

}  // namespace gptgrow
