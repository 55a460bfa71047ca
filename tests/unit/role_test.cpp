// SPDX-License-Identifier: BSD-3-Clause
#include "core/gpt/role.h"
#include "tests/unit/catch2.h"

#include <set>

using namespace gptgrow;

TEST_CASE("Each role has a name of its own, and the table and what a table left behind are told apart")
{
  struct Named {
    Role role;
    const char* name;
    bool is_table, is_old_backup;
  };
  using enum Role;
  std::set<std::string> names;
  for (const Named& each : {
           Named{mbr, "MBR", true, false},
           Named{primary_header, "primary header", true, false},
           Named{primary_array, "primary array", true, false},
           Named{backup_array, "backup array", true, false},
           Named{backup_header, "backup header", true, false},
           Named{old_backup_array, "old backup array", false, true},
           Named{old_backup_header, "old backup header", false, true},
           Named{content, "data", false, false},
           Named{free_space, "free space", false, false},
       }) {
    CAPTURE(each.name);
    CHECK(std::string(name_of(each.role)) == each.name);
    CHECK(is_table(each.role) == each.is_table);
    CHECK(is_old_backup(each.role) == each.is_old_backup);
    names.insert(name_of(each.role));
  }
  CHECK(names.size() == 9);
}
