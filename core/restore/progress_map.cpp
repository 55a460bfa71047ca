// SPDX-License-Identifier: BSD-3-Clause
#include "core/restore/progress_map.h"

#include "core/error.h"
#include "core/target/durable_file.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <sstream>

namespace gptgrow {

namespace {

using Interval = boost::icl::interval<std::uint64_t>;
using Json = nlohmann::ordered_json;

constexpr std::string_view kKey = "# gptgrow restore: ";
constexpr std::uint64_t kMaxFileSizeBytes = 256 * 1024 * 1024;

RestoreIdentity identity_of(const std::string& path, std::string_view text)
{
  try {
    const Json json = Json::parse(text);
    // The library would make a number of anything.
    const auto number = [&](const char* key, std::uint64_t most) {
      const Json& value = json.at(key);
      if (!value.is_number_unsigned() || value > most)
        refuse("{}: damaged: {} {}, expected a number up to {}", path, key, value.dump(), most);
      return value.get<std::uint64_t>();
    };
    RestoreIdentity identity{json.at("id"), json.at("image"), number("size_bytes", kMaxDiskSizeBytes),
                             static_cast<std::uint32_t>(number("table_crc32", UINT32_MAX)), json.at("free_space")};
    if (identity.id.size() != kIdLength)
      refuse("{}: damaged: an id of {} characters, expected {}", path, identity.id.size(), kIdLength);
    return identity;
  } catch (const nlohmann::json::exception& e) {
    refuse("{}: damaged: {}", path, e.what());
  }
}

}  // namespace

void ProgressMap::add(ByteRange range)
{
  done_ += Interval::right_open(range.offset, range.end());
}

void ProgressMap::remove(ByteRange range)
{
  done_ -= Interval::right_open(range.offset, range.end());
}

std::uint64_t ProgressMap::first_missing(std::uint64_t offset) const
{
  const auto found = done_.find(offset);
  return found == done_.end() ? offset : std::min(found->upper(), identity_.size_bytes);
}

std::uint64_t ProgressMap::missing_end(std::uint64_t offset) const
{
  const auto next = done_.lower_bound(Interval::right_open(offset, offset + 1));
  return next == done_.end() ? identity_.size_bytes : next->lower();
}

std::string map_text(const ProgressMap& map)
{
  const RestoreIdentity& identity = map.identity_;
  const Json json{{"id", identity.id},
                  {"image", identity.image},
                  {"size_bytes", identity.size_bytes},
                  {"table_crc32", identity.table_crc32},
                  {"free_space", identity.free_space}};
  const std::uint64_t first = map.first_missing(0);
  const char* const status = first == identity.size_bytes ? "+" : "?";
  std::string text = fmt::format("# Mapfile, as of GNU ddrescue: + is written, ? is not\n{}{}\n"
                                 "# current_pos  current_status  current_pass\n0x{:08X}     {}               1\n"
                                 "#      pos        size  status\n",
                                 kKey, json.dump(-1, ' ', true, Json::error_handler_t::replace), first, status);
  const auto line = [&](std::uint64_t begin, std::uint64_t end, char mark) {
    if (begin != end)
      fmt::format_to(std::back_inserter(text), "0x{:08X}  0x{:08X}  {}\n", begin, end - begin, mark);
  };
  std::uint64_t end = 0;
  for (const auto& interval : map.done_) {
    line(end, interval.lower(), '?');
    line(interval.lower(), interval.upper(), '+');
    end = interval.upper();
  }
  line(end, identity.size_bytes, '?');
  return text;
}

ProgressMap parse_map(const std::string& path, std::string text)
{
  std::istringstream lines(std::move(text));
  std::optional<ProgressMap> map;
  std::string line;
  bool status_was_read = false;
  std::uint64_t expected = 0;
  for (unsigned number = 1; std::getline(lines, line); ++number) {
    if (line.starts_with(kKey) && !map)
      map.emplace(identity_of(path, std::string_view(line).substr(kKey.size())));
    if (line.empty() || line[0] == '#')
      continue;
    if (!map)
      break;
    if (!std::exchange(status_was_read, true))
      continue;
    std::istringstream fields(line);
    std::uint64_t offset = 0, size = 0;
    std::string status, rest;
    fields >> std::hex >> offset >> size >> status;
    if (!fields || fields >> rest || offset != expected || size == 0 || size > map->identity().size_bytes - offset ||
        (status != "+" && status != "?"))
      refuse("{}: damaged: line {}, expected bytes from 0x{:08X} on, inside {} bytes, + or ?", path, number, expected,
             map->identity().size_bytes);
    expected += size;
    if (status == "+")
      map->add({offset, size});
  }
  if (!map)
    refuse("{}: no map of a restore: no line begins with \"{}\"", path, kKey);
  if (expected != map->identity().size_bytes)
    refuse("{}: damaged or cut off: it ends at byte {}, expected {}", path, expected, map->identity().size_bytes);
  return *std::move(map);
}

void save_map(const std::string& path, const ProgressMap& map)
{
  replace_file(path, map_text(map));
}

std::optional<ProgressMap> load_map(const std::string& path)
try {
  return parse_map(path, read_file(path, kMaxFileSizeBytes));
} catch (const std::system_error& e) {
  if (e.code() == std::errc::no_such_file_or_directory)
    return std::nullopt;
  throw;
}

}  // namespace gptgrow
