// SPDX-License-Identifier: BSD-3-Clause
#include "core/report/text_style.h"

#include <fmt/format.h>

namespace gptgrow {

std::string emphasize(const TextStyle& style, Emphasis emphasis, std::string_view text)
{
  if (!style.color)
    return std::string(text);
  const char* code = "";
  switch (emphasis) {
  case Emphasis::title: code = "1"; break;
  case Emphasis::good: code = "32"; break;
  case Emphasis::warning: code = "33"; break;
  case Emphasis::bad: code = "1;31"; break;
  case Emphasis::faint: code = "2"; break;
  }
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

std::string wrap(const TextStyle& style, std::string_view first, std::string_view text)
{
  std::string out(first);
  std::size_t column = first.size();
  bool fresh = true;
  while (!text.empty()) {
    const std::size_t space = text.find(' ');
    const std::string_view word = text.substr(0, space);
    text = space == text.npos ? "" : text.substr(space + 1);
    if (!fresh && column + 1 + word.size() > style.width) {
      out += '\n' + std::string(first.size(), ' ');
      column = first.size();
      fresh = true;
    }
    if (!fresh) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
    fresh = false;
  }
  return out + '\n';
}

std::string short_size(std::uint64_t bytes)
{
  constexpr std::string_view units = "BKMGTPE";
  double number = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (number >= 1024 && unit + 1 < units.size()) {
    number /= 1024;
    ++unit;
  }
  const bool whole = number == static_cast<double>(static_cast<std::uint64_t>(number));
  return fmt::format("{:.{}f}{}", number, whole || number >= 100 ? 0 : number >= 10 ? 1 : 2, units[unit]);
}

std::string join_runs(const std::vector<std::uint32_t>& numbers)
{
  std::string out;
  for (std::size_t i = 0; i < numbers.size();) {
    std::size_t last = i;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1)
      ++last;
    out += out.empty() ? "" : ", ";
    out += last == i ? fmt::to_string(numbers[i]) : fmt::format("{}-{}", numbers[i], numbers[last]);
    i = last + 1;
  }
  return out;
}

}  // namespace gptgrow
