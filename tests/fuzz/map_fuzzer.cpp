// SPDX-License-Identifier: BSD-3-Clause
// Any bytes as the map of a restore: refused, or what is done and what is missing covers the disk, once, and is the same when it is
// written and read again, by us and by a second reader of the form.
//
// Input: 0, then a text; or numbers, of which a text is made that is nearly right.
#include "core/error.h"
#include "core/restore/progress_map.h"
#include "tests/fuzz/require.h"

#include <cinttypes>

#include <fuzzer/FuzzedDataProvider.h>

using namespace gptgrow;

namespace {

std::vector<ByteRange> missing(const ProgressMap& map)
{
  std::vector<ByteRange> ranges;
  for_each_missing(map, {0, map.identity().size_bytes}, [&](ByteRange range) { ranges.push_back(range); });
  return ranges;
}

/// The ranges with a `?`, by the rules of ddrescue: each line begins where the one before it ends.
std::vector<ByteRange> missing_by_text(const std::string& text, std::uint64_t size_bytes)
{
  std::vector<ByteRange> ranges;
  std::uint64_t end = 0;
  bool has_status = false;
  for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
    if (text[at] == '#' || !std::exchange(has_status, true))
      continue;
    std::uint64_t offset = 0, size = 0;
    char mark = 0;
    REQUIRE(std::sscanf(text.c_str() + at, "0x%" SCNx64 " 0x%" SCNx64 " %c", &offset, &size, &mark) == 3);
    REQUIRE(offset == end && size > 0 && size <= size_bytes - offset && (mark == '+' || mark == '?'));
    end += size;
    if (mark == '?')
      ranges.push_back({offset, size});
  }
  REQUIRE(end == size_bytes);
  return ranges;
}

void check(const ProgressMap& map)
{
  const std::uint64_t size = map.identity().size_bytes;
  REQUIRE(size <= kMaxDiskSizeBytes);
  const std::vector<ByteRange> ranges = missing(map);
  std::uint64_t end = 0;
  for (const ByteRange& range : ranges) {
    REQUIRE(range.size > 0 && range.offset >= end && range.offset < size && range.size <= size - range.offset);
    REQUIRE(end == 0 || range.offset > end);
    REQUIRE(map.first_missing(range.offset) == range.offset && map.missing_end(range.offset) == range.end());
    end = range.end();
  }
  REQUIRE(map.is_empty() == (size == 0 || (ranges.size() == 1 && ranges[0] == ByteRange{0, size})));
  const std::string text = map_text(map);
  REQUIRE(missing_by_text(text, size) == ranges);
  const ProgressMap again = parse_map("map", text);
  REQUIRE(map_text(again) == text && missing(again) == ranges);
}

/// Adding and removing is as it is with the bytes one by one.
void check_changes(FuzzedDataProvider& in)
{
  constexpr std::uint64_t kBytes = 64;
  ProgressMap map({std::string(kIdLength, 'a'), "", kBytes, 0, ""});
  std::array<bool, kBytes> done{};
  while (in.remaining_bytes() > 0) {
    const std::uint64_t first = in.ConsumeIntegralInRange<std::uint64_t>(0, kBytes - 1);
    const std::uint64_t size = in.ConsumeIntegralInRange<std::uint64_t>(0, kBytes - first);
    const bool add = in.ConsumeBool();
    add ? map.add({first, size}) : map.remove({first, size});
    std::fill_n(done.begin() + first, size, add);
  }
  std::array<bool, kBytes> is_done;
  is_done.fill(true);
  for (const ByteRange& range : missing(map))
    std::fill_n(is_done.begin() + range.offset, range.size, false);
  REQUIRE(done == is_done);
  check(map);
}

/// Numbers of JSON; what is more than `most`, negative or no whole number makes the text wrong.
std::string json_number(FuzzedDataProvider& in, std::uint64_t value, std::uint64_t most, bool& is_right)
{
  constexpr const char* kForms[] = {"{}", "-{}", "{}.5", "{}e30", "{}e300", "true", "\"{}\""};
  const auto how = in.ConsumeIntegral<std::uint8_t>();
  const std::size_t form = how < 200 ? 0 : how % std::size(kForms);
  is_right = is_right && form == 0 && value <= most;
  return fmt::format(fmt::runtime(kForms[form]), value);
}

struct MadeText {
  std::string text;
  bool is_right = true;  // in what is of no concern to ddrescue
};

MadeText make_text(FuzzedDataProvider& in)
{
  const auto odd = [&](std::uint64_t usual) {
    const auto how = in.ConsumeIntegral<std::uint8_t>();
    return how < 240 ? usual : how < 252 ? usual + how - 246 : in.ConsumeIntegral<std::uint64_t>();
  };
  std::vector<std::uint64_t> sizes(in.ConsumeIntegralInRange<std::size_t>(0, 6));
  std::uint64_t total = 0;
  for (std::uint64_t& size : sizes)
    total += size = in.ConsumeIntegralInRange<std::uint64_t>(1, in.ConsumeBool() ? kMaxDiskSizeBytes / 8 : 512);
  MadeText made;
  const std::string id(odd(kIdLength) % 64, '0'), image = in.ConsumeRandomLengthString(20);
  const std::string size_bytes = json_number(in, odd(total), kMaxDiskSizeBytes, made.is_right);
  const std::string crc = json_number(in, odd(7), UINT32_MAX, made.is_right);
  made.text = fmt::format("# gptgrow restore: {{\"id\":\"{}\",\"image\":\"{}\",\"size_bytes\":{},\"table_crc32\":{},"
                          "\"free_space\":\"zero\"}}\n0x0 ? 1\n",
                          id, image, size_bytes, crc);
  made.is_right = made.is_right && id.size() == kIdLength;
  std::uint64_t at = 0;
  for (const std::uint64_t size : sizes) {
    const auto mark = in.ConsumeIntegral<std::uint8_t>();
    made.text += fmt::format("0x{:X} 0x{:X} {}\n", odd(at), odd(size),
                             mark < 120   ? '+'
                             : mark < 240 ? '?'
                                          : static_cast<char>(mark));
    at += size;
  }
  return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
  if (size == 0)
    return -1;
  FuzzedDataProvider in(data + 1, size - 1);
  if (data[0] > 200) {
    check_changes(in);
    return 0;
  }
  const MadeText made = data[0] == 0 ? MadeText{in.ConsumeRemainingBytesAsString()} : make_text(in);
  try {
    const ProgressMap map = parse_map("map", made.text);
    REQUIRE(made.is_right);
    check(map);
  } catch (const Error&) {
  }
  return 0;
}
