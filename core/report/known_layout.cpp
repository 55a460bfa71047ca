// SPDX-License-Identifier: BSD-3-Clause
#include "core/report/known_layout.h"

#include "core/report/type_name.h"

#include <fmt/core.h>

#include <algorithm>
#include <string_view>

namespace gptgrow {

namespace {

constexpr std::string_view kEfiSystem = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B";
constexpr std::string_view kBasicData = "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7";
constexpr std::string_view kVmkCore = "9D275380-40AD-11DB-BF97-000C2911D1B8";
constexpr std::string_view kVmfs = "AA31E02A-400F-11DB-9590-000C2911D1B8";
constexpr std::string_view kVmfsL = "4EB2EA39-7855-4790-A79E-FAE495E21F8D";
constexpr std::string_view kChromeKernel = "FE3A2A5D-4F32-41A7-B725-ACCC3285A309";
constexpr std::string_view kChromeRoot = "3CB8E202-3B7E-47DD-8A3C-7FF2A13CFCEC";
constexpr std::string_view kCoreOsUsr = "5DFBF5F4-2848-4BAC-AA5E-0D9A20B745A6";
constexpr std::string_view kBiosBoot = "21686148-6449-6E6F-744E-656564454649";

struct Expected {
  std::uint32_t slot;
  std::string_view type;
};

class Slots {
public:
  explicit Slots(std::span<const Entry> entries) : entries_(entries) {}

  std::ptrdiff_t count(std::string_view type) const
  {
    return std::ranges::count(entries_, guid_of(type), &Entry::type_guid);
  }

  const Entry* at(std::uint32_t slot) const
  {
    const auto found = std::ranges::find(entries_, slot, &Entry::slot);
    return found == entries_.end() ? nullptr : &*found;
  }

  bool has(const Expected& expected) const
  {
    const Entry* entry = at(expected.slot);
    return entry && entry->type_guid == guid_of(expected.type);
  }

  bool has_name(std::u16string_view name) const
  {
    return std::ranges::any_of(entries_, [&](const Entry& entry) { return entry.name.view() == name; });
  }

  std::vector<std::string> faults(std::initializer_list<Expected> all) const
  {
    std::vector<std::string> sentences;
    for (const Expected& expected : all)
      if (!has(expected))
        sentences.push_back(fault(expected));
    return sentences;
  }

private:
  std::string fault(const Expected& expected) const
  {
    const Entry* entry = at(expected.slot);
    const std::string name = count(expected.type) == 0 ? std::string(expected.type) : type_text(guid_of(expected.type));
    return fmt::format("slot {} {}, expected {}", expected.slot,
                       entry ? "holds " + type_text(entry->type_guid) : "is empty", name);
  }

  std::span<const Entry> entries_;
};

}  // namespace

std::optional<KnownLayout> known_layout(std::span<const Entry> entries)
{
  const Slots slots(entries);
  if (slots.count(kVmfsL) != 0 && slots.count(kEfiSystem) != 0)
    return KnownLayout{"VMware ESXi 7 or 8", "1 boot, 5 and 6 boot banks, 7 system data, 8 datastore",
                       slots.faults({{1, kEfiSystem}, {5, kBasicData}, {6, kBasicData}, {7, kVmfsL}})};
  if (slots.count(kVmkCore) != 0 && slots.count(kEfiSystem) != 0) {
    const bool six = slots.count(kVmkCore) > 1;
    auto faults = slots.faults({{1, kEfiSystem}, {5, kBasicData}, {6, kBasicData}, {7, kVmkCore}, {8, kBasicData}});
    if (six)
      std::ranges::move(slots.faults({{9, kVmkCore}}), std::back_inserter(faults));
    if (slots.count(kVmfs) != 0)
      std::ranges::move(slots.faults({{3, kVmfs}}), std::back_inserter(faults));
    return KnownLayout{six ? "VMware ESXi 5.5 or 6" : "VMware ESXi 5",
                       six ? "1 boot, 2 scratch, 3 datastore, 5 and 6 boot banks, 7 and 9 core dumps, 8 store; 4 empty"
                           : "1 boot, 2 scratch, 3 datastore, 5 and 6 boot banks, 7 core dump, 8 store; 4 empty",
                       std::move(faults)};
  }
  if (slots.count(kChromeKernel) != 0 && slots.count(kChromeRoot) != 0)
    return KnownLayout{"ChromeOS", "1 stateful, 2 and 3 system A, 4 and 5 system B, 6 and 7 system C, 8 OEM, 12 EFI",
                       slots.faults({{2, kChromeKernel}, {3, kChromeRoot}, {4, kChromeKernel}, {5, kChromeRoot}})};
  if (slots.count(kCoreOsUsr) != 0)
    return KnownLayout{"CoreOS or Flatcar", "1 EFI, 2 BIOS boot, 3 and 4 /usr A and B, 6 OEM, 9 root",
                       slots.faults({{3, kCoreOsUsr}, {4, kCoreOsUsr}})};
  if (slots.has_name(u"META") && slots.has_name(u"STATE") && slots.has_name(u"EPHEMERAL"))
    return KnownLayout{"Talos", "1 EFI, 2 BIOS, 3 BOOT, 4 META, 5 STATE, 6 EPHEMERAL", {}};
  if (slots.count(kBiosBoot) != 0)
    return KnownLayout{"GRUB on BIOS", "GRUB's core image names the partition of /boot by its number", {}};
  return std::nullopt;
}

}  // namespace gptgrow
