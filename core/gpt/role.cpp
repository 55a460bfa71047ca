// SPDX-License-Identifier: BSD-3-Clause
#include "core/gpt/role.h"

namespace gptgrow {

const char* name_of(Role role)
{
  switch (role) {
  case Role::mbr: return "MBR";
  case Role::primary_header: return "primary header";
  case Role::primary_array: return "primary array";
  case Role::backup_array: return "backup array";
  case Role::backup_header: return "backup header";
  case Role::old_backup_array: return "old backup array";
  case Role::old_backup_header: return "old backup header";
  case Role::content: return "data";
  case Role::free_space: break;
  }
  return "free space";
}

}  // namespace gptgrow
