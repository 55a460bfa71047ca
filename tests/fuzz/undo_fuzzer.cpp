// SPDX-License-Identifier: BSD-3-Clause
// Any bytes as an undo file, and a disk that a repair was stopped on: the file is read as a second reader of the form does, or
// refused, and the disk gets back exactly what the file says was there before, or nothing at all is written.
//
// Input: 0, then a text, to which the right line of its CRC is added; or writes, of which the text is made, and what of each came to
// the disk.
#include "core/error.h"
#include "core/gpt/fields.h"
#include "core/repair/undo.h"
#include "tests/fuzz/bytes_source.h"

#include <array>
#include <cctype>

#include <fuzzer/FuzzedDataProvider.h>

using namespace gptgrow;

namespace {

/// What is written twice in one place is known by the other write too: the unit tests cut those off.
bool has_twice(const Undo& undo)
{
  for (const Write& write : undo.writes)
    if (std::ranges::count(undo.writes, write.range(), &Write::range) > 1)
      return true;
  return false;
}

using Bytes = std::vector<std::byte>;

constexpr std::size_t kDiskBytes = 4 << 10;

std::string crc_line(std::string_view text)
{
  return fmt::format("crc32 0x{:08x}\n", crc32(std::as_bytes(std::span(text))));
}

// --- The form, a second time

/// Takes the next line, which must begin with `key`, off `text`.
std::optional<std::string_view> take(std::string_view& text, std::string_view key)
{
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  if (end == text.npos || !line.starts_with(key))
    return std::nullopt;
  text.remove_prefix(end + 1);
  return line.substr(key.size());
}

std::optional<std::uint64_t> number(std::string_view digits)
{
  std::uint64_t value = 0;
  if (digits.empty())
    return std::nullopt;
  for (const char digit : digits) {
    if (digit < '0' || digit > '9' || __builtin_mul_overflow(value, 10, &value) ||
        __builtin_add_overflow(value, digit - '0', &value))
      return std::nullopt;
  }
  return value > INT64_MAX ? std::nullopt : std::optional(value);
}

/// What each character is as a hexadecimal digit; 16: none.
constexpr auto kDigits = [] {
  std::array<std::uint8_t, 256> values{};
  for (unsigned c = 0; c < 256; ++c)
    values[c] = static_cast<std::uint8_t>(c >= '0' && c <= '9'   ? c - '0'
                                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                                 : 16);
  return values;
}();

std::optional<Bytes> bytes(std::string_view hex)
{
  if (hex.size() % 2 != 0)
    return std::nullopt;
  Bytes result(hex.size() / 2);
  const char* digit = hex.data();
  for (std::byte& byte : result) {
    const unsigned high = kDigits[static_cast<unsigned char>(*digit++)];
    const unsigned low = kDigits[static_cast<unsigned char>(*digit++)];
    if (high > 15 || low > 15)
      return std::nullopt;
    byte = static_cast<std::byte>(high << 4 | low);
  }
  return result;
}

/// What repair writes: no two writes have a byte in common.
bool are_apart(const std::vector<Write>& writes)
{
  for (std::size_t i = 0; i < writes.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (overlap(writes[i].range(), writes[j].range()))
        return false;
  return true;
}

std::optional<Undo> read_again(std::string_view text)
{
  const std::size_t end = text.rfind("crc32 0x");
  if (end == text.npos || text.substr(end) != crc_line(text.substr(0, end)))
    return std::nullopt;
  text = text.substr(0, end);
  if (!take(text, "gptgrow undo 1"))
    return std::nullopt;
  const auto size = take(text, "disk_size_bytes "), sector = size ? take(text, "sector_size_bytes ") : std::nullopt;
  if (!sector || !number(*size) || (number(*sector) != 512 && number(*sector) != 4096))
    return std::nullopt;
  Undo undo{*number(*size), static_cast<std::uint32_t>(*number(*sector)), {}};
  while (!text.empty()) {
    const auto head = take(text, "write "), before = head ? take(text, "before ") : std::nullopt;
    const auto after = before ? take(text, "after ") : std::nullopt;
    const auto bytes_before = after ? bytes(*before) : std::nullopt;
    const auto bytes_after = bytes_before ? bytes(*after) : std::nullopt;
    if (!bytes_after)
      return std::nullopt;
    const std::size_t space = std::min(head->find(' '), head->size());
    const auto offset = number(head->substr(0, space));
    const std::string name(head->substr(std::min(space + 1, head->size())));
    const auto is_letter = [](char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == ' '; };
    if (!offset || !std::ranges::all_of(name, is_letter))
      return std::nullopt;
    undo.writes.push_back({name, *offset, *bytes_before, *bytes_after});
    const std::size_t count = undo.writes.back().before.size();
    if (count == 0 || count != undo.writes.back().after.size() || *offset > undo.disk_size_bytes ||
        count > undo.disk_size_bytes - *offset)
      return std::nullopt;
  }
  return are_apart(undo.writes) ? std::optional(undo) : std::nullopt;
}

// --- What becomes of a disk

class Medium : public Target {
public:
  explicit Medium(Bytes& disk) : disk_(disk) {}

  void write(std::uint64_t offset, std::span<const std::byte> what) override
  {
    REQUIRE(offset <= disk_.size() && what.size() <= disk_.size() - offset);
    std::ranges::copy(what, disk_.begin() + static_cast<std::ptrdiff_t>(offset));
  }
  void flush() override {}
  void read(std::uint64_t offset, std::span<std::byte> buffer) const override
  {
    BytesSource(disk_).read(offset, buffer);
  }

private:
  Bytes& disk_;
};

std::span<std::byte> place(Bytes& disk, const Write& write)
{
  return std::span(disk).subspan(write.offset, write.before.size());
}

/// Whether each 512 bytes are those before the write or those after it.
bool is_known(std::span<const std::byte> now, const Write& write)
{
  for (std::size_t at = 0; at < now.size(); at += 512) {
    const std::size_t size = std::min<std::size_t>(512, now.size() - at);
    const auto is = [&](const Bytes& those) { return std::memcmp(&now[at], &those[at], size) == 0; };
    if (!is(write.before) && !is(write.after))
      return false;
  }
  return true;
}

void check_undo(Bytes disk, const Undo& undo)
{
  if (has_twice(undo))
    return;
  const Bytes found = disk;
  Bytes expected = disk;
  bool is_refused = disk.size() != undo.disk_size_bytes;
  for (const Write& write : undo.writes)
    is_refused = is_refused || !is_known(place(disk, write), write);
  for (const Write& write : undo.writes)
    if (!is_refused)
      std::ranges::copy(write.before, place(expected, write).begin());
  try {
    const std::vector<Write> writes = plan_undo(BytesSource(disk), undo);
    REQUIRE(!is_refused);
    for (const Write& write : writes)
      REQUIRE(write.before.size() == write.after.size() && std::ranges::equal(place(disk, write), write.before) &&
              write.before != write.after);
    Medium medium(disk);
    write_and_check(writes, medium);
  } catch (const Error&) {
    REQUIRE(is_refused);
  }
  REQUIRE(disk == expected && (!is_refused || disk == found));
}

/// What a file that is right at first glance says, and a disk on which a repair wrote some of it.
std::string make_text(FuzzedDataProvider& in, Bytes& disk)
{
  Undo undo{kDiskBytes - in.ConsumeIntegralInRange<std::uint64_t>(0, 600) / 512, in.ConsumeBool() ? 4096U : 512U, {}};
  for (unsigned left = in.ConsumeIntegralInRange<unsigned>(0, 5); left > 0; --left) {
    const std::uint64_t offset =
        in.ConsumeIntegralInRange<std::uint64_t>(0, 8) * 512 + in.ConsumeIntegral<std::uint8_t>() / 250;
    const std::size_t size =
        in.ConsumeIntegralInRange<std::size_t>(0, 2) * 512 + in.ConsumeIntegral<std::uint8_t>() / 250;
    const ByteRange there = clip({offset, size}, disk.size());
    Write write{"primary header", offset, Bytes(size, std::byte{1}),
                Bytes(size, std::byte{in.ConsumeIntegral<std::uint8_t>()})};
    // As it was when the write began, which another one may have changed.
    if (in.ConsumeBool())
      std::copy_n(disk.begin() + static_cast<std::ptrdiff_t>(there.offset), there.size, write.before.begin());
    const auto done = in.ConsumeIntegral<std::uint8_t>();
    for (std::size_t at = 0; at < there.size; ++at)
      disk[there.offset + at] = (done >> (at / 512 % 4) & 1) != 0 ? write.after[at] : write.before[at];
    undo.writes.push_back(std::move(write));
  }
  if (in.ConsumeIntegral<std::uint8_t>() > 250)
    disk[in.ConsumeIntegralInRange<std::size_t>(0, disk.size() - 1)] ^= std::byte{in.ConsumeIntegral<std::uint8_t>()};
  return undo_text(undo);
}

bool same(const Undo& a, const Undo& b)
{
  const auto same_write = [](const Write& x, const Write& y) {
    return x.what == y.what && x.offset == y.offset && x.before == y.before && x.after == y.after;
  };
  return a.disk_size_bytes == b.disk_size_bytes && a.sector_size_bytes == b.sector_size_bytes &&
         std::ranges::equal(a.writes, b.writes, same_write);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
  if (size == 0)
    return -1;
  Bytes disk(kDiskBytes);
  std::string text;
  if (data[0] == 0) {
    text.assign(reinterpret_cast<const char*>(data) + 1, size - 1);
    text += crc_line(text);
  } else {
    FuzzedDataProvider in(data + 1, size - 1);
    text = make_text(in, disk);
  }
  const std::optional<Undo> expected = read_again(text);
  try {
    const Undo undo = parse_undo("undo", text);
    REQUIRE(has_twice(undo) || (expected.has_value() && same(undo, *expected)));
    REQUIRE(same(parse_undo("undo", undo_text(undo)), undo));
    if (undo.disk_size_bytes <= kDiskBytes)
      check_undo(std::move(disk), undo);
  } catch (const Error& error) {
    require(!expected.has_value(), error.what());
  }
  return 0;
}
