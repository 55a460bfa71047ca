// SPDX-License-Identifier: BSD-3-Clause
#include "core/repair/tool_traces.h"

#include <algorithm>
#include <iterator>

namespace gptgrow {

namespace {

struct Tool {
  const char* name;
  std::set<Trace> leaves;  // always, where it is possible
  std::set<Trace> may_leave;
};

/// As measured with util-linux 2.38, gdisk 1.0.9, parted 3.5, cloud-guest-utils 0.33.
std::vector<Tool> known_tools()
{
  using enum Trace;
  return {
      {"a raw copy (dd, nbdcopy, an image writer)", {backup_left_behind}, {}},
      {"sgdisk -e, gdisk", {active_flag_cleared, disk_signature_zeroed}, {chs_rewritten, mbr_changed}},
      {"sgdisk --sort", {active_flag_cleared, disk_signature_zeroed, entries_sorted}, {chs_rewritten, mbr_changed}},
      {"sfdisk --relocate gpt-bak-std", {active_flag_cleared}, {chs_rewritten, mbr_changed}},
      {"sfdisk, a dump loaded again",
       {active_flag_cleared, disk_signature_zeroed, header_tail_lost, hybrid_lost, array_moved},
       {chs_rewritten, mbr_changed, header_changed}},
      {"parted --fix", {unused_slots_changed, header_tail_lost, hybrid_lost, array_moved, chs_rewritten}, {mbr_changed}},
      {"growpart",
       {active_flag_cleared, disk_signature_zeroed, header_tail_lost, hybrid_lost, array_moved, partition_grown},
       {chs_rewritten, mbr_changed, header_changed}},
      {"Windows",
       {gap_closed},
       {active_flag_cleared, disk_signature_zeroed, chs_rewritten, mbr_changed, unused_slots_changed, header_tail_lost,
        header_changed}},
      {"virt-resize", {gap_closed, active_flag_cleared}, {chs_rewritten, mbr_changed}},
      {"Clonezilla, proportional",
       {extents_changed, active_flag_cleared, disk_signature_zeroed},
       {chs_rewritten, mbr_changed, partition_grown, header_changed}},
      {"nbdkit's partitioning plugin",
       {gap_closed, partition_guids_changed, disk_guid_changed},
       {active_flag_cleared, disk_signature_zeroed, chs_rewritten, mbr_changed, entry_fields_changed, extents_changed,
        header_changed}},
  };
}

}  // namespace

std::vector<std::string> tools_that_leave(const std::set<Trace>& found, const std::set<Trace>& possible)
{
  std::vector<std::string> names;
  for (const Tool& tool : known_tools()) {
    std::set<Trace> certain, largest;
    std::ranges::set_intersection(tool.leaves, possible, std::inserter(certain, certain.end()));
    largest = certain;
    largest.insert(tool.may_leave.begin(), tool.may_leave.end());
    if (!certain.empty() && std::ranges::includes(found, certain) && std::ranges::includes(largest, found))
      names.emplace_back(tool.name);
  }
  return names;
}

}  // namespace gptgrow
