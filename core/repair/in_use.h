// SPDX-License-Identifier: BSD-3-Clause
// A table that is rewritten while partitions of its disk are in use.
#pragma once

#include "core/repair/repair.h"
#include "core/target/kernel_partitions.h"

namespace gptgrow {

/// Throws Error where the kernel has other partitions of `disk` than `plan` was made for: another one in the slot that is
/// extended, or one in which anything would be written, or into which that slot would grow.
void check_kernel_agrees(const Source& disk, const std::vector<KernelPartition>& kernel, const RepairPlan& plan);

/// The partition that is extended, as it will be.
ByteRange extended_range(const RepairPlan& plan);

}  // namespace gptgrow
