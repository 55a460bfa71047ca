// SPDX-License-Identifier: BSD-3-Clause
// What bytes of a disk are for.
#pragma once

namespace gptgrow {

/// The order of the structures is that of their usual places on a disk.
enum class Role {
  mbr,
  primary_header,
  primary_array,
  backup_array,
  backup_header,
  old_backup_array,   // zeros where a backup was left behind
  old_backup_header,  // the same
  content,            // what the image has there, or zeros that belong to a partition
  free_space,         // zeros behind the image and all of its partitions
};

/// Whether it is a part of the partition table.
constexpr bool is_table(Role role)
{
  return role <= Role::backup_header;
}

constexpr bool is_old_backup(Role role)
{
  return role == Role::old_backup_array || role == Role::old_backup_header;
}

/// "primary header"
const char* name_of(Role role);

}  // namespace gptgrow
