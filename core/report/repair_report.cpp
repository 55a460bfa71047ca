// SPDX-License-Identifier: BSD-3-Clause
#include "core/report/repair_report.h"

#include "core/report/json.h"

namespace gptgrow {

namespace {

constexpr std::size_t kMaxListed = 16;
constexpr std::uint64_t kUnitBytes = 512;

}  // namespace

std::string overwritten_text(const RepairPlan& plan, const std::string& disk, const std::string& from,
                             const TextStyle& style)
{
  if (plan.overwritten.empty())
    return "";
  std::string out =
      '\n' + emphasize(style, Emphasis::title, "data that a partition table may have been written over") + '\n';
  const std::size_t listed = std::min(plan.overwritten.size(), kMaxListed);
  for (std::size_t i = 0; i < listed; ++i) {
    const Overwritten& each = plan.overwritten[i];
    out += fmt::format("  bytes {}-{}: {} bytes of {}, {}\n", each.range.offset, each.range.end() - 1, each.range.size,
                       each.where, emphasize(style, Emphasis::bad, "not as in " + from));
    if (each.is_in_file)
      out += fmt::format("    dd if={} of={} bs={} skip={} seek={} count={} conv=notrunc,fsync\n", shell_word(from),
                         shell_word(disk), kUnitBytes, each.range.offset / kUnitBytes, each.range.offset / kUnitBytes,
                         each.range.size / kUnitBytes);
  }
  if (plan.overwritten.size() > listed)
    out += fmt::format("  and {} more places\n", plan.overwritten.size() - listed);
  if (!plan.overwritten.front().is_in_file)
    out += "  to bring them back: make a raw image of it first (qemu-img convert -O raw, or nbdcopy), and name that\n";
  return out;
}

std::string to_json(const RepairPlan& plan, const std::string& disk, const ExtendedContents& contents)
{
  const Extension& extension = *plan.extension;
  const auto text = [](const std::string& value) { return value.empty() ? Json() : Json(value); };
  return json_text({{"disk", disk},
                    {"size_bytes", plan.disk_size_bytes},
                    {"sector_size_bytes", plan.sector_size_bytes},
                    {"last_lba", plan.disk_size_bytes / plan.sector_size_bytes - 1},
                    {"extended",
                     {{"slot", extension.slot},
                      {"first_lba", extension.first_lba.value},
                      {"last_lba_before", extension.before.value},
                      {"last_lba_after", extension.after.value}}},
                    {"contents",
                     {{"type", text(contents.type)},
                      {"grow_command", text(contents.grow_command)},
                      {"remark", text(contents.remark)}}},
                    {"changes", later()},
                    {"warnings", plan.warnings}},
                   {{"changes", items_of(plan.changes)}});
}

std::string to_json(const RepairPlan& plan, const std::string& disk, const std::string& from)
{
  Json left = Json::array();
  for (const Overwritten& each : plan.overwritten)
    left.push_back({{"offset_bytes", each.range.offset},
                    {"length_bytes", each.range.size},
                    {"slot", each.slot == 0 ? Json() : Json(each.slot)},
                    {"where", each.where}});
  return json_text({{"disk", disk},
                    {"from", from},
                    {"size_bytes", plan.disk_size_bytes},
                    {"sector_size_bytes", plan.sector_size_bytes},
                    {"last_lba", plan.disk_size_bytes / plan.sector_size_bytes - 1},
                    {"changes", later()},
                    {"overwritten", std::move(left)},
                    {"warnings", plan.warnings}},
                   {{"changes", items_of(plan.changes)}});
}

}  // namespace gptgrow
