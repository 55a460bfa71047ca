// SPDX-License-Identifier: BSD-3-Clause
// How text is to look, and the few ways in which a word can stand out. Everything that goes to a terminal passes
// for_terminal(), which knows our own emphasis from whatever a disk, a file name or another program put into the text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gptgrow {

struct TextStyle {
  std::size_t width = 80;  // columns; drawings and wrapped text keep to it, tables may need more
  bool color = false;      // terminal escapes for colour
};

enum class Emphasis { title, good, warning, bad, faint };

/// `text`, between marks for `emphasis` when the style has colour. A mark holds a number that is drawn when the program
/// starts: text that is not ours cannot hold one.
std::string emphasize(const TextStyle& style, Emphasis emphasis, std::string_view text);

/// `text` with the terminal's escapes where emphasize() left marks. All other control characters but newlines are made
/// visible, as escaped_lines() does.
std::string for_terminal(std::string_view text);

/// `text` broken at spaces so that each line fits style.width, the first begun with `first`, the rest with as many
/// spaces. Ends with a newline.
std::string wrap(const TextStyle& style, std::string_view first, std::string_view text);

/// Three digits and a unit of powers of 1024: "250M", "1.12G", "512B".
std::string short_size(std::uint64_t bytes);

/// Numbers in ascending order with runs joined: "1-3, 5, 7-8".
std::string join_runs(const std::vector<std::uint32_t>& numbers);

}  // namespace gptgrow
