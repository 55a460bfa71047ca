// SPDX-License-Identifier: BSD-3-Clause
#include "core/report/type_name.h"

#include <boost/uuid/uuid_hash.hpp>

#include <unordered_map>
#include <utility>

namespace gptgrow {

namespace {

constexpr std::pair<std::string_view, std::string_view> kNames[] = {
#include "type_names.inc"
    // In use on disks whose owners depend on slot numbers, and unknown to util-linux 2.38 to 2.41.
    {"4EB2EA39-7855-4790-A79E-FAE495E21F8D", "VMware VMFS-L"},
    {"5DFBF5F4-2848-4BAC-AA5E-0D9A20B745A6", "CoreOS usr"},
    {"3884DD41-8582-4404-B9A8-E9B84F2DF50E", "CoreOS resize"},
    {"C95DC21A-DF0E-4340-8D7B-26CBFA9A03E0", "CoreOS reserved"},
    {"BE9067B9-EA49-4F15-B4F6-F36F8C9E1818", "CoreOS RAID"},
    {"CAB6E88E-ABF3-4102-A07A-D4BB9BE3C1D3", "ChromeOS firmware"},
    {"09845860-705F-4BB5-B16C-8A8A099CAF52", "ChromeOS miniOS"},
    {"3F0F8318-F146-4E6B-8222-C28C8F02E0D5", "ChromeOS hibernate"},
};

}  // namespace

std::string_view type_name(const Guid& type_guid)
{
  static const auto names = [] {
    std::unordered_map<Guid, std::string_view> by_type;
    for (const auto& [type, name] : kNames)
      by_type.emplace(guid_of(type), name);  // the first of two names for one type counts
    return by_type;
  }();
  const auto found = names.find(type_guid);
  return found == names.end() ? std::string_view() : found->second;
}

std::string type_text(const Guid& type_guid)
{
  const std::string_view name = type_name(type_guid);
  return name.empty() ? guid_text(type_guid) : std::string(name);
}

}  // namespace gptgrow
