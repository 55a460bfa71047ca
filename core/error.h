// SPDX-License-Identifier: BSD-3-Clause
// What gptgrow throws when it refuses. Failed system calls are std::system_error instead.
#pragma once

#include "core/text.h"

#include <fmt/core.h>

#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace gptgrow {

/// An option that would help. Each front end writes it as its users do.
struct Hint {
  std::string key;     // "truncated", as DiskOptions::set() has it, or of one front end alone
  std::string value;   // "allow"; empty: the option takes none
  std::string effect;  // "would serve zeros there"
};

/// A refusal. what() names the file, the field, the value found and the value expected; it has no control characters but
/// newlines of our own.
class Error : public std::runtime_error {
public:
  explicit Error(const std::string& what, std::vector<Hint> hints = {})
      : std::runtime_error(escaped_lines(what)), hints_(std::move(hints))
  {
  }

  const std::vector<Hint>& hints() const { return hints_; }

private:
  std::vector<Hint> hints_;
};

/// A string as escaped() shows it, anything else as it is.
template <typename T>
auto shown(const T& value)
{
  if constexpr (std::is_convertible_v<const T&, std::string_view>)
    return escaped(std::string_view(value));
  else
    return value;
}

/// As fmt::format(), but a string that is put in stays on its line and cannot do anything to a terminal.
template <typename... Args>
std::string message(fmt::format_string<Args...> format, Args&&... args)
{
  std::tuple values{shown(args)...};
  return std::apply([&](auto&... value) { return fmt::vformat(format, fmt::make_format_args(value...)); }, values);
}

template <typename... Args>
[[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args)
{
  throw Error(message<Args...>(format, std::forward<Args>(args)...));
}

/// The same, with an option that would help.
template <typename... Args>
[[noreturn]] void refuse_with(Hint hint, fmt::format_string<Args...> format, Args&&... args)
{
  throw Error(message<Args...>(format, std::forward<Args>(args)...), {std::move(hint)});
}

/// What to tell of an exception: safe on a terminal, with its hints, each option as `spell` writes it; left out where that is
/// empty.
template <typename Spell>
std::string explain(const std::exception& exception, Spell spell)
{
  const auto* const error = dynamic_cast<const Error*>(&exception);
  if (!error)
    return escaped(exception.what());
  std::string text = error->what();
  for (const Hint& hint : error->hints())
    if (const std::string option = spell(hint); !option.empty())
      text += "; " + option + ' ' + hint.effect;
  return text;
}

}  // namespace gptgrow
