// SPDX-License-Identifier: BSD-3-Clause
// Text that came from a disk: names in UTF-16, perhaps invalid, perhaps with terminal escapes in them.
#pragma once

#include <string>
#include <string_view>

namespace gptgrow {

/// `text` as UTF-8, always valid: a surrogate without its other half becomes U+FFFD. Control characters stay.
std::string to_utf8(std::u16string_view text);

/// Whether every surrogate of `text` has its other half.
bool is_valid_utf16(std::u16string_view text);

/// `text` as UTF-8 that is safe on a terminal and says what it hides: control characters (\x1b, \u0085), characters
/// that are invisible or change the direction of text (\u202e), lone surrogates (\ud800) and non-characters (\uffff) are
/// escaped, a backslash is doubled.
std::string printable(std::u16string_view text);

}  // namespace gptgrow
