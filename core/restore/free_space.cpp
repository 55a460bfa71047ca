// SPDX-License-Identifier: BSD-3-Clause
#include "core/restore/free_space.h"

#include "core/error.h"

#include <algorithm>

namespace gptgrow {

namespace {

constexpr std::pair<std::string_view, FreeSpace> kWords[] = {
    {"discard", FreeSpace::discard}, {"zero", FreeSpace::zero}, {"keep", FreeSpace::keep}};

}  // namespace

FreeSpace parse_free_space(std::string_view word)
{
  for (const auto& [name, value] : kWords)
    if (name == word)
      return value;
  refuse("free-space: \"{}\", expected discard, zero or keep", word);
}

std::string to_string(FreeSpace free_space)
{
  return std::string(std::ranges::find(kWords, free_space, [](const auto& pair) { return pair.second; })->first);
}

}  // namespace gptgrow
