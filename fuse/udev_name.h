// SPDX-License-Identifier: BSD-3-Clause
// Partition names as udev has them in /dev/disk/by-partlabel.
#pragma once

#include <string>
#include <string_view>

namespace gptgrow {

inline constexpr std::size_t kMaxUdevNameBytes = 252;

/// `utf8` as one file name: trailing white space goes; of ASCII, letters, digits and #+-.:=@_ stay, and every other
/// byte becomes \xNN; of the rest, all that is a character stays. udev has no encoding for "." and "..": here they
/// become "\x2e" and "\x2e\x2e". Empty when nothing is left, and when more than
/// kMaxUdevNameBytes are: libblkid has no room for more, and gives no name then. Precondition: `utf8` is valid.
std::string encode_udev_name(std::string_view utf8);

}  // namespace gptgrow
