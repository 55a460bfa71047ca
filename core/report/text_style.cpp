// SPDX-License-Identifier: BSD-3-Clause
#include "core/report/text_style.h"

#include "core/text.h"

#include <fmt/format.h>

#include <random>

namespace gptgrow {

namespace {

constexpr char kEnd = '.';

/// Before the letter that says which emphasis begins, or kEnd.
const std::string& mark()
{
  static const std::string text = [] {
    std::random_device random;
    return fmt::format("\x1b{:08x}{:08x}", random(), random());
  }();
  return text;
}

char letter(Emphasis emphasis)
{
  return static_cast<char>('a' + static_cast<int>(emphasis));
}

std::string_view code(char letter_or_end)
{
  for (const auto& [emphasis, code] : {std::pair{Emphasis::title, "1"},
                                       {Emphasis::good, "32"},
                                       {Emphasis::warning, "33"},
                                       {Emphasis::bad, "1;31"},
                                       {Emphasis::faint, "2"}})
    if (letter_or_end == letter(emphasis))
      return code;
  return "0";
}

}  // namespace

std::string emphasize(const TextStyle& style, Emphasis emphasis, std::string_view text)
{
  if (!style.color)
    return std::string(text);
  return fmt::format("{0}{1}{2}{0}{3}", mark(), letter(emphasis), text, kEnd);
}

std::string for_terminal(std::string_view text)
{
  std::string out;
  while (true) {
    const std::size_t at = text.find(mark());
    out += escaped_lines(text.substr(0, at));
    if (at == text.npos)
      return out;
    text.remove_prefix(at + mark().size());
    out += fmt::format("\x1b[{}m", code(text.front()));
    text.remove_prefix(1);
  }
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
