// SPDX-License-Identifier: BSD-3-Clause
#include "core/repair/undo.h"

#include "core/compare/named_fields.h"
#include "core/error.h"
#include "core/repair/writes.h"
#include "core/target/durable_file.h"

#include <algorithm>
#include <charconv>

namespace gptgrow {

namespace {

constexpr std::string_view kMagic = "gptgrow undo 1\n";
constexpr std::string_view kCrcKey = "crc32 0x";

/// More than any plan has.
constexpr std::size_t kMaxWrites = 64;

/// The most of a plan: the primary array, rebuilt and rewritten, the backup array, old and new.
constexpr std::uint64_t kMaxArrays = 4;

/// Of each byte, two hex digits before and two after; all but the arrays are sectors, and lines with names and numbers.
constexpr std::uint64_t kMaxFileSizeBytes = 4 * kMaxArrays * kMaxArraySizeBytes + kMaxWrites * (4 * 4096 + 1024);

std::uint32_t crc32_of(std::string_view text)
{
  return crc32(std::as_bytes(std::span(text)));
}

/// Reads the lines of an undo file whose checksum is right.
class Parser {
public:
  Parser(const std::string& path, std::string_view text) : path_(path), rest_(text) {}

  bool at_end() const { return rest_.empty(); }

  /// The rest of the next line, which must begin with `key` and a space.
  std::string_view value(std::string_view key)
  {
    const std::size_t end = rest_.find('\n');
    std::string_view line = rest_.substr(0, end);
    if (end == rest_.npos || !line.starts_with(key) || line.substr(key.size(), 1) != " ")
      refuse("{}: \"{}\", expected \"{} ...\"", path_, std::string(line.substr(0, 40)), key);
    rest_.remove_prefix(end + 1);
    return line.substr(key.size() + 1);
  }

  std::uint64_t number(std::string_view text) const
  {
    std::uint64_t result = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), result);
    if (error != std::errc() || end != text.data() + text.size() || result > kMaxDiskSizeBytes)
      refuse("{}: \"{}\", expected a number", path_, std::string(text));
    return result;
  }

  std::vector<std::byte> bytes(std::string_view hex) const
  {
    if (hex.size() % 2 != 0)
      refuse("{}: {} hex digits, expected two for each byte", path_, hex.size());
    std::vector<std::byte> result(hex.size() / 2);
    for (std::size_t i = 0; i < result.size(); ++i) {
      unsigned value = 0;
      const char* digits = hex.data() + 2 * i;
      if (std::from_chars(digits, digits + 2, value, 16).ptr != digits + 2)
        refuse("{}: \"{}\", expected hex digits", path_, std::string(digits, 2));
      result[i] = static_cast<std::byte>(value);
    }
    return result;
  }

private:
  const std::string& path_;
  std::string_view rest_;
};

using Bytes = std::span<const std::byte>;

/// Calls `use` with each unit of the place of `write`: its offset in there, and a function that cuts it out.
template <typename Use>
void for_each_unit(const Write& write, Use use)
{
  for (std::size_t at = 0; at < write.after.size(); at += kAtomicBytes)
    use(at, [&](Bytes bytes) { return bytes.subspan(at, std::min(kAtomicBytes, bytes.size() - at)); });
}

/// Each unit of a place must be what it was before or after one of the writes there.
void check_is_known(const Source& disk, const Undo& undo, const Write& place)
{
  const std::vector<std::byte> now = read_bytes(disk, place.range());
  for_each_unit(place, [&](std::size_t at, auto unit) {
    const auto is_known = [&](const Write& write) {
      return write.range() == place.range() &&
             (std::ranges::equal(unit(now), unit(write.before)) || std::ranges::equal(unit(now), unit(write.after)));
    };
    if (std::ranges::none_of(undo.writes, is_known))
      refuse("{}: {}: byte {} and on hold neither what repair wrote nor what was there before: the undo file is of "
             "another disk, or the table was changed since; nothing is written",
             disk.name(), place.what, place.offset + at);
  });
}

/// Whether a unit is what `write` made of it.
bool has_begun(const Source& disk, const Write& write)
{
  const std::vector<std::byte> now = read_bytes(disk, write.range());
  bool begun = false;
  for_each_unit(write, [&](std::size_t, auto unit) {
    begun = begun ||
            (std::ranges::equal(unit(now), unit(write.after)) && !std::ranges::equal(unit(now), unit(write.before)));
  });
  return begun;
}

/// What a repair writes twice, it writes in the same place: a header, unsealed and sealed.
void check_apart(const std::string& path, const Undo& undo)
{
  std::vector<ByteRange> places;
  for (const Write& write : undo.writes)
    places.push_back(write.range());
  std::ranges::sort(places);
  places.erase(std::unique(places.begin(), places.end()), places.end());  // clang 14 has trouble with that of ranges
  const auto twice = std::ranges::adjacent_find(places, overlap);
  if (twice != places.end())
    refuse("{}: two writes at bytes {} and {}, expected none on another one", path, twice[0].offset, twice[1].offset);
  for (auto later = undo.writes.begin(); later != undo.writes.end(); ++later) {
    const auto earlier = std::find_if(std::reverse_iterator(later), undo.writes.rend(),
                                      [&](const Write& write) { return write.range() == later->range(); });
    if (earlier != undo.writes.rend() && earlier->after != later->before)
      refuse("{}: two writes at byte {}, expected the second one after the first", path, later->offset);
  }
}

}  // namespace

std::string undo_text(const Undo& undo)
{
  std::string text =
      fmt::format("{}disk_size_bytes {}\nsector_size_bytes {}\n", kMagic, undo.disk_size_bytes, undo.sector_size_bytes);
  for (const Write& write : undo.writes)
    text += fmt::format("write {} {}\nbefore {}\nafter {}\n", write.offset, write.what, to_hex(write.before),
                        to_hex(write.after));
  text += fmt::format("{}{:08x}\n", kCrcKey, crc32_of(text));
  return text;
}

Undo parse_undo(const std::string& path, std::string_view text)
{
  if (!text.starts_with(kMagic))
    refuse("{}: no undo file: does not begin with \"gptgrow undo 1\"", path);
  const std::size_t end = text.rfind(kCrcKey);
  const std::string expected =
      end == text.npos ? "" : fmt::format("{}{:08x}\n", kCrcKey, crc32_of(text.substr(0, end)));
  if (end == text.npos || text.substr(end) != expected)
    refuse("{}: damaged or cut off: its last line is not \"{}...\" with the CRC of what is before it", path, kCrcKey);

  Parser parser(path, text.substr(0, end).substr(kMagic.size()));
  Undo undo;
  undo.disk_size_bytes = parser.number(parser.value("disk_size_bytes"));
  const std::uint64_t sector_size_bytes = parser.number(parser.value("sector_size_bytes"));
  if (sector_size_bytes != 512 && sector_size_bytes != 4096)
    refuse("{}: sector_size_bytes {}, expected 512 or 4096", path, sector_size_bytes);
  undo.sector_size_bytes = static_cast<std::uint32_t>(sector_size_bytes);
  while (!parser.at_end()) {
    const std::string_view write = parser.value("write");
    const std::size_t space = std::min(write.find(' '), write.size());
    if (undo.writes.size() == kMaxWrites)
      refuse("{}: more than {} writes", path, kMaxWrites);
    Write& added = undo.writes.emplace_back();
    added.offset = parser.number(write.substr(0, space));
    added.what = write.substr(std::min(space + 1, write.size()));
    if (!std::ranges::all_of(added.what,
                             [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == ' '; }))
      refuse("{}: write at byte {}: expected a name of letters", path, added.offset);
    added.before = parser.bytes(parser.value("before"));
    added.after = parser.bytes(parser.value("after"));
    if (added.before.empty() || added.before.size() != added.after.size() || added.range().end() > undo.disk_size_bytes)
      refuse("{}: write at byte {}: {} bytes before, {} after, on a disk of {}", path, added.offset,
             added.before.size(), added.after.size(), undo.disk_size_bytes);
  }
  check_apart(path, undo);
  return undo;
}

void save_undo(const std::string& path, const Undo& undo)
{
  const std::string text = undo_text(undo);
  if (text.size() > kMaxFileSizeBytes)
    refuse("{}: an undo file of {} bytes, expected at most {}: nothing is written", path, text.size(),
           kMaxFileSizeBytes);
  (void)parse_undo(path, text);  // throws where it could not be loaded again
  if (!write_new_file(path, text))
    refuse("{}: exists; an undo file is never overwritten; nothing is written", path);
}

Undo load_undo(const std::string& path)
{
  return parse_undo(path, read_file(path, kMaxFileSizeBytes));
}

std::vector<Write> plan_undo(const Source& disk, const Undo& undo)
{
  if (disk.size_bytes() != undo.disk_size_bytes)
    refuse("{}: {} bytes, the undo file is of a disk of {}: nothing is written", disk.name(), disk.size_bytes(),
           undo.disk_size_bytes);
  for (const Write& write : undo.writes)
    check_is_known(disk, undo, write);
  // What had not begun is left out: it would hurt what is still valid.
  const auto last = std::find_if(undo.writes.rbegin(), undo.writes.rend(),
                                 [&](const Write& write) { return has_begun(disk, write); });
  Writes writes(disk);
  for (auto write = last; write != undo.writes.rend(); ++write)
    writes.add(write->what, write->offset, write->before);
  return writes.take();
}

}  // namespace gptgrow
