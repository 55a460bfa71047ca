// SPDX-License-Identifier: BSD-3-Clause
#include "core/report/type_name.h"
#include "tests/unit/catch2.h"

using namespace gptgrow;

TEST_CASE("A partition type has the name that util-linux has for it, or ours, and else its GUID")
{
  struct Named {
    const char *guid, *name;
  };
  for (const auto& [guid, name] : {
           Named{"C12A7328-F81F-11D2-BA4B-00A0C93EC93B", "EFI System"},
           Named{"0FC63DAF-8483-4772-8E79-3D69D8477DE4", "Linux filesystem"},
           Named{"0657FD6D-A4AB-43C4-84E5-0933C84B4F4F", "Linux swap"},
           Named{"21686148-6449-6E6F-744E-656564454649", "BIOS boot"},
           Named{"EBD0A0A2-B9E5-4433-87C0-68B6B72699C7", "Microsoft basic data"},
           Named{"4EB2EA39-7855-4790-A79E-FAE495E21F8D", "VMware VMFS-L"},
           Named{"3F0F8318-F146-4E6B-8222-C28C8F02E0D5", "ChromeOS hibernate"},
       }) {
    CHECK(type_name(guid_of(guid)) == name);
    CHECK(type_text(guid_of(guid)) == name);
  }
  for (const char* unknown : {"00000000-0000-0000-0000-000000000000", "C12A7328-F81F-11D2-BA4B-00A0C93EC93C"}) {
    CHECK(type_name(guid_of(unknown)).empty());
    CHECK(type_text(guid_of(unknown)) == unknown);
  }
}
