// SPDX-License-Identifier: BSD-3-Clause
#include "cli/arguments.h"

#include "cli/command.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <sstream>

namespace gptgrow {

namespace {

std::vector<std::string> command_names(const CLI::App& app)
{
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(command->get_name());
  return names;
}

/// How many letters must be put in, left out or changed (Levenshtein).
std::size_t distance(std::string_view a, std::string_view b)
{
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j)
      diagonal = std::exchange(row[j + 1], std::min({diagonal + (a[i] != b[j]), row[j] + 1, row[j + 1] + 1}));
  }
  return row.back();
}

void check_command(const CLI::App& app, const std::vector<std::string>& words)
{
  const std::vector<std::string> names = command_names(app);
  if (words.empty())
    refuse("expected a command: {}; see gptgrow --help", fmt::join(names, ", "));
  const std::string& word = words.front();
  if (word.empty() || word.starts_with('-') || std::ranges::find(names, word) != names.end())
    return;
  const auto likely =
      std::ranges::min_element(names, {}, [&](const std::string& name) { return distance(word, name); });
  refuse("no such command \"{}\"; expected {}{}", word, fmt::join(names, ", "),
         distance(word, *likely) <= 2 ? fmt::format("; did you mean {}?", *likely) : "");
}

/// The options of `app` and of the groups in it.
std::vector<const CLI::Option*> all_options(const CLI::App& app)
{
  std::vector<const CLI::Option*> options = app.get_options();
  for (const CLI::App* group : app.get_subcommands([](const CLI::App* each) { return each->get_name().empty(); }))
    std::ranges::copy(all_options(*group), std::back_inserter(options));
  return options;
}

const CLI::App* command_of(const CLI::App& app, const std::vector<std::string>& words)
{
  const auto all = app.get_subcommands([](const CLI::App*) { return true; });
  const auto found = std::ranges::find_if(
      all, [&](const CLI::App* each) { return !words.empty() && each->get_name() == words.front(); });
  return found == all.end() ? nullptr : *found;
}

[[noreturn]] void refuse_standard_input(std::string_view what)
{
  refuse("{}: standard input is not supported there; a file of that name is ./-", what);
}

/// --name=value: CLI11 would take the next word for an empty value, and "false" for the contrary of a flag.
void check_value_in_word(const CLI::App& command, std::string_view word)
{
  const std::size_t equals = word.find('=');
  if (!word.starts_with("--") || equals == word.npos)
    return;
  const std::string name(word.substr(0, equals));
  const std::vector<const CLI::Option*> options = all_options(command);
  const auto option = std::ranges::find_if(options, [&](const CLI::Option* each) { return each->check_name(name); });
  if (option != options.end() && (*option)->get_items_expected_max() == 0)
    refuse("{}: {} takes no value", word, name);
  if (equals + 1 == word.size())
    refuse("{}: empty, expected a value", name);
  if (word.substr(equals + 1) == "-")
    refuse_standard_input(name);
}

/// Whether `word` is an option whose value is the next word.
bool wants_value(const CLI::App& command, const std::string& word)
{
  const std::vector<const CLI::Option*> options = all_options(command);
  return word.starts_with("--") && std::ranges::any_of(options, [&](const CLI::Option* each) {
           return each->check_name(word) && each->get_items_expected_max() != 0;
         });
}

/// As its image.
bool takes_standard_input(const CLI::App* command)
{
  return command && (command->get_name() == "restore" || command->get_name() == "verify");
}

void check_words(const CLI::App& app, const std::vector<std::string>& words)
{
  const CLI::App* const command = command_of(app, words);
  bool options_end = false;
  std::size_t positionals = 0;  // the command is the first one
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const bool follows_option = !options_end && i != 0 && words[i - 1].starts_with("--");
    if (word.empty())
      refuse("{}: empty, expected a value",
             follows_option ? words[i - 1] : fmt::format("word {} of the command line", i + 1));
    const bool is_value = follows_option && wants_value(command ? *command : app, words[i - 1]);
    positionals += !is_value && (options_end || !word.starts_with("--")) ? 1 : 0;
    if (word == "-" && (is_value || positionals != 2 || !takes_standard_input(command)))
      refuse_standard_input(is_value ? words[i - 1] : word);
    if (is_value && word.starts_with("--"))
      refuse("{}: expected a value, found {}; a file of that name is ./{}", words[i - 1], word, word);
    options_end = options_end || word == "--";
    if (!options_end)
      check_value_in_word(command ? *command : app, word);
  }
}

/// What CLI11 says of an option that was given more than once is hard to understand.
void check_not_twice(const CLI::App& command)
{
  for (const CLI::Option* option : all_options(command))
    if (option->get_multi_option_policy() == CLI::MultiOptionPolicy::Throw && option->get_items_expected_max() == 1 &&
        option->count() > 1)
      refuse("{}: given twice", option->get_name());
}

}  // namespace

bool parse_arguments(CLI::App& app, const std::vector<std::string>& words)
{
  check_command(app, words);
  check_words(app, words);
  const CLI::App* const command = command_of(app, words);
  try {
    // CLI11 takes them from the back.
    app.parse(std::vector<std::string>(words.rbegin(), words.rend()));
    return true;
  } catch (const CLI::ParseError& e) {
    std::ostringstream out, err;
    if (app.exit(e, out, err) == 0) {
      print(out.str());
      return false;
    }
    if (command)
      check_not_twice(*command);
    refuse("{}; see gptgrow {}--help", e.what(), command ? command->get_name() + ' ' : "");
  }
}

std::vector<std::string> split_list(const std::vector<std::string>& lists)
{
  std::vector<std::string> parts;
  for (const std::string& list : lists) {
    std::size_t begin = 0;
    for (std::size_t comma; (comma = list.find(',', begin)) != list.npos; begin = comma + 1)
      parts.push_back(list.substr(begin, comma - begin));
    parts.push_back(list.substr(begin));
  }
  return parts;
}

}  // namespace gptgrow
