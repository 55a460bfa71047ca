// SPDX-License-Identifier: BSD-3-Clause
// Systems that find their partitions by slot number.
#include "core/report/known_layout.h"
#include "tests/unit/catch2.h"

#include <boost/uuid/string_generator.hpp>

using namespace gptgrow;

namespace {

constexpr const char *kEfi = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", *kBasic = "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7",
                     *kVmkCore = "9D275380-40AD-11DB-BF97-000C2911D1B8",
                     *kVmfs = "AA31E02A-400F-11DB-9590-000C2911D1B8", *kVmfsL = "4EB2EA39-7855-4790-A79E-FAE495E21F8D",
                     *kChromeKernel = "FE3A2A5D-4F32-41A7-B725-ACCC3285A309",
                     *kChromeRoot = "3CB8E202-3B7E-47DD-8A3C-7FF2A13CFCEC",
                     *kCoreOsUsr = "5DFBF5F4-2848-4BAC-AA5E-0D9A20B745A6",
                     *kBiosBoot = "21686148-6449-6E6F-744E-656564454649",
                     *kUnknown = "01234567-89AB-CDEF-0123-456789ABCDEF";

std::vector<Entry> entries_of(const std::vector<std::pair<std::uint32_t, const char*>>& types)
{
  std::vector<Entry> entries;
  for (const auto& [slot, type] : types)
    entries.push_back({slot, boost::uuids::string_generator()(type), {}, {}, {}, {}, {}});
  return entries;
}

std::string layout_name(const std::vector<Entry>& entries)
{
  const auto layout = known_layout(entries);
  return layout ? layout->name : "";
}

std::vector<std::string> faults(const std::vector<std::pair<std::uint32_t, const char*>>& types)
{
  return known_layout(entries_of(types)).value().faults;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("Each system is known by the types of its partitions, none by one of two")
{
  CHECK(layout_name(entries_of({{1, kEfi}, {7, kVmfsL}})) == "VMware ESXi 7 or 8");
  CHECK(layout_name(entries_of({{1, kEfi}, {7, kVmkCore}})) == "VMware ESXi 5");
  CHECK(layout_name(entries_of({{1, kEfi}, {7, kVmkCore}, {9, kVmkCore}})) == "VMware ESXi 5.5 or 6");
  CHECK(layout_name(entries_of({{2, kChromeKernel}, {3, kChromeRoot}})) == "ChromeOS");
  CHECK(layout_name(entries_of({{3, kCoreOsUsr}})) == "CoreOS or Flatcar");
  CHECK(layout_name(entries_of({{2, kBiosBoot}})) == "GRUB on BIOS");
  for (const char* alone : {kVmfsL, kVmkCore, kChromeKernel, kChromeRoot, kEfi, kUnknown})
    CHECK(layout_name(entries_of({{1, alone}})).empty());
  CHECK(layout_name({}).empty());
}

TEST_CASE("Talos is known by the names of three partitions")
{
  std::vector<Entry> entries = entries_of({{4, kUnknown}, {5, kUnknown}, {6, kUnknown}});
  const std::u16string names[] = {u"META", u"STATE", u"EPHEMERAL"};
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(layout_name(entries).empty());
    entries[i].name = std::u16string_view(names[i]);
  }
  CHECK(layout_name(entries) == "Talos");
}

TEST_CASE("A partition in another slot is a fault, by the names of what is there and what should be")
{
  CHECK(faults({{1, kEfi}, {5, kBasic}, {6, kBasic}, {7, kVmkCore}, {8, kBasic}}).empty());
  CHECK(faults({{1, kEfi}, {3, kVmfs}, {5, kBasic}, {6, kBasic}, {7, kVmkCore}, {8, kBasic}}).empty());
  CHECK(faults({{1, kEfi}, {5, kBasic}, {6, kBasic}, {7, kVmfsL}}).empty());
  CHECK(faults({{1, kEfi}, {4, kVmfs}, {5, kBasic}, {6, kBasic}, {7, kVmkCore}, {8, kBasic}}) ==
        Texts{"slot 3 is empty, expected VMware VMFS"});
  CHECK(faults({{1, kEfi}, {4, kBasic}, {5, kUnknown}, {6, kVmkCore}, {7, kBasic}}) ==
        Texts{"slot 5 holds 01234567-89AB-CDEF-0123-456789ABCDEF, expected Microsoft basic data",
              "slot 6 holds VMware Diagnostic, expected Microsoft basic data",
              "slot 7 holds Microsoft basic data, expected VMware Diagnostic",
              "slot 8 is empty, expected Microsoft basic data"});
  // What is nowhere on the disk has no name there either.
  CHECK(faults({{1, kEfi}, {5, kUnknown}, {6, kUnknown}, {7, kVmfsL}}) ==
        Texts{"slot 5 holds 01234567-89AB-CDEF-0123-456789ABCDEF, expected EBD0A0A2-B9E5-4433-87C0-68B6B72699C7",
              "slot 6 holds 01234567-89AB-CDEF-0123-456789ABCDEF, expected EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"});
  CHECK(faults({{2, kChromeKernel}, {3, kChromeRoot}}).size() == 2);
  CHECK(faults({{4, kCoreOsUsr}}) == Texts{"slot 3 is empty, expected CoreOS usr"});
}
