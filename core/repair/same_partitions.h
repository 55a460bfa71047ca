// SPDX-License-Identifier: BSD-3-Clause
// Whether a disk has the partitions of an image, in whatever slots. Internal to core/repair.
#pragma once

#include "core/gpt/gpt.h"
#include "core/gpt/header.h"
#include "core/source/source.h"

namespace gptgrow {

bool contains(const std::vector<std::uint32_t>& slots, std::uint32_t slot);

/// A partition that the image has too, but that ends further out on the disk.
struct Grown {
  Entry in_image;
  Entry on_disk;
};

std::vector<Grown> grown_partitions(const std::vector<Entry>& found, const std::vector<Entry>& wanted);

bool is_replaced(const std::vector<std::uint32_t>& replaced_slots, const Grown& grown);

/// A sentence: what would be cut off.
std::string describe(const Grown& grown);

/// The entries of the disk keep their ends. Throws Error where another partition of the image, the table, or a record of a hybrid
/// MBR is in the way.
void keep_grown(const Source& disk, Gpt& gpt, const Header& primary, const std::vector<Grown>& all,
                const std::vector<Entry>& wanted);

/// Throws Error unless both name the same partitions, but for those in `replaced_slots`.
void check_same_partitions(const Source& disk, const std::vector<Entry>& found, const std::string& image,
                           const std::vector<Entry>& wanted, const std::vector<std::uint32_t>& replaced_slots);

}  // namespace gptgrow
