// SPDX-License-Identifier: BSD-3-Clause
// Text that is not ours: names in UTF-16 or in bytes, perhaps invalid, perhaps with terminal escapes in them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace gptgrow {

/// `text` as UTF-8, always valid: a surrogate without its other half becomes U+FFFD. Control characters stay.
std::string to_utf8(std::u16string_view text);

/// `text` as UTF-16; none where it is not UTF-8.
std::optional<std::u16string> to_utf16(std::string_view text);

/// Whether every surrogate of `text` has its other half.
bool is_valid_utf16(std::u16string_view text);

/// `text` as UTF-8 that is safe on a terminal and says what it hides: control characters (\x1b, \u0085), characters
/// that are invisible or change the direction of text (\u202e), lone surrogates (\ud800) and non-characters (\uffff) are
/// escaped, a backslash is doubled.
std::string printable(std::u16string_view text);

/// Bytes of any origin (file names, lines of files, what other programs say) as valid UTF-8 that is safe on a terminal and
/// stays on its line: what printable() escapes, and bytes that are not UTF-8 (\xff). A backslash is not doubled, so that
/// text can pass more than once.
std::string escaped(std::string_view text);

/// The same for text of several lines: newlines stay.
std::string escaped_lines(std::string_view text);

/// `path` as one word of a shell, for a command that is shown: plain where it can be, and always safe on a terminal.
std::string shell_word(const std::string& path);

}  // namespace gptgrow
