// SPDX-License-Identifier: BSD-3-Clause
#include "core/disk/size.h"

#include "core/error.h"
#include "core/units.h"

#include <charconv>
#include <optional>

namespace gptgrow {

namespace {

constexpr std::string_view kUnits = "KMGTPE";

/// What one of `suffix` is in bytes, if it is a suffix.
std::optional<std::uint64_t> unit_size_bytes(std::string_view suffix)
{
  if (suffix.empty())
    return 1;
  if (suffix == "s")
    return 512;
  // truncate takes these four in lower case as well
  const char letter = std::string_view("kmgt").find(suffix[0]) != std::string_view::npos
                          ? static_cast<char>(suffix[0] - 'a' + 'A')
                          : suffix[0];
  const std::size_t power = kUnits.find(letter);
  const std::string_view rest = suffix.substr(1);
  if (power == kUnits.npos || !(rest.empty() || rest == "iB" || rest == "B"))
    return std::nullopt;
  std::uint64_t size = 1;
  for (std::size_t i = 0; i <= power; ++i)
    size *= rest == "B" ? 1000 : 1024;
  return size;
}

}  // namespace

std::uint64_t Size::resolve(std::uint64_t image_size_bytes) const
{
  std::uint64_t total = bytes;
  if (__builtin_add_overflow(total, relative ? image_size_bytes : 0, &total) || total > kMaxDiskSizeBytes)
    refuse("size {}{}: more than {} bytes, the largest possible", relative ? "+" : "", bytes, kMaxDiskSizeBytes);
  return total;
}

Size parse_size(std::string_view text)
{
  const bool relative = text.starts_with('+');
  const std::string_view body = text.substr(relative);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(body.data(), body.data() + body.size(), number);
  const auto unit = unit_size_bytes({end, body.data() + body.size()});
  if (error == std::errc::invalid_argument || !unit)
    refuse("size \"{}\": expected a number with K, M, G, T, P or E (powers of 1024), KB, MB, ... (powers of 1000), "
           "s (512-byte sectors) or no unit (bytes); +SIZE adds to the image's size, min is the smallest that fits",
           text);
  if (error == std::errc::result_out_of_range || __builtin_mul_overflow(number, *unit, &number))
    refuse("size \"{}\": more than {} bytes, the largest possible", text, kMaxDiskSizeBytes);
  return {number, relative};
}

std::string format_size(std::uint64_t bytes)
{
  std::uint64_t number = bytes;
  std::size_t power = 0;
  while (number != 0 && number % 1024 == 0 && power < kUnits.size()) {
    number /= 1024;
    ++power;
  }
  return power == 0 ? fmt::format("{} bytes", bytes) : fmt::format("{} bytes ({}{})", bytes, number, kUnits[power - 1]);
}

}  // namespace gptgrow
