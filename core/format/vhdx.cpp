// SPDX-License-Identifier: BSD-3-Clause
// VHDX: [MS-VHDX]. Numbers are little-endian.
#include "core/format/format.h"
#include "core/format/header_reader.h"
#include "core/gpt/fields.h"

#include <algorithm>
#include <array>
#include <optional>

namespace gptgrow {

namespace {

constexpr std::uint64_t kRegionTableOffset = 192 * 1024, kTableBytes = 64 * 1024;
constexpr std::size_t kMaxRegions = 2047, kMaxItems = 2047;
constexpr std::string_view kBat = "2DC27766-F623-4200-9D64-115E9BFD4A08";
constexpr std::string_view kMetadata = "8B7CA206-4790-4B9A-B8FE-575F050F886E";
constexpr std::string_view kFileParameters = "CAA16737-FA36-4D43-B3B6-33F0AA44E76B";
constexpr std::string_view kParentLocator = "A8D35F2D-B30B-454D-ABF7-D3D84834AB0C";
constexpr std::array<std::string_view, 4> kOtherItems{
    "2FA54224-CD1B-4876-B211-5DBED83BF4B8",  // virtual disk size
    "BECA12AB-B2E6-4523-93EF-C309E000C746",  // virtual disk ID
    "8141BF1D-A96F-4709-BA47-F233A8FAAB5F",  // logical sector size
    "CDA348C7-445D-4471-9CC9-E9885251C556",  // physical sector size
};
constexpr std::uint32_t kIsRequired = 1 << 2, kHasParent = 1 << 1;

ByteRange metadata_region(const Source& file)
{
  const HeaderReader table(file, "VHDX region table", {kRegionTableOffset, kTableBytes});
  if (table.text(0, 4) != "regi")
    table.fail("signature \"{}\", expected \"regi\"", table.text(0, 4));
  const auto count = table.little<std::uint32_t>(8);
  if (count > kMaxRegions)
    table.fail("EntryCount {}, expected up to {}", count, kMaxRegions);
  std::optional<ByteRange> found;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = 16 + 32 * i;
    const std::string guid = guid_text(get_guid(table.bytes(at, 16), 0));
    if (guid == kMetadata && found)
      table.fail("two metadata regions, expected one");
    if (guid == kMetadata)
      found = {table.little<std::uint64_t>(at + 16), table.little<std::uint32_t>(at + 24)};
    else if (guid != kBat && table.little<std::uint32_t>(at + 28) & 1)
      table.fail("region {} is required, expected only the block allocation table and metadata", guid);
  }
  if (!found)
    table.fail("no metadata region, expected {}", kMetadata);
  return *found;
}

}  // namespace

void check_vhdx(const Source& file)
{
  const HeaderReader identifier(file, "VHDX file identifier", {0, 8});
  if (identifier.text(0, 8) != "vhdxfile")
    identifier.fail("signature \"{}\", expected \"vhdxfile\"", identifier.text(0, 8));
  const ByteRange region = metadata_region(file);
  if (region.size < kTableBytes || region.size > 64 * kTableBytes)
    identifier.fail("a metadata region of {} bytes, expected {} to {}", region.size, kTableBytes, 64 * kTableBytes);
  const HeaderReader metadata(file, "VHDX metadata", region);
  if (metadata.text(0, 8) != "metadata")
    metadata.fail("signature \"{}\", expected \"metadata\"", metadata.text(0, 8));
  const auto count = metadata.little<std::uint16_t>(10);
  if (count > kMaxItems)
    metadata.fail("EntryCount {}, expected up to {}", count, kMaxItems);
  bool has_parameters = false;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = 32 + 32 * i;
    const std::string guid = guid_text(get_guid(metadata.bytes(at, 16), 0));
    if (guid == kParentLocator)
      metadata.fail("item {}: a parent locator, expected none: it has what differs from a parent: {}", i + 1, kFlatten);
    if (guid == kFileParameters) {
      const auto offset = metadata.little<std::uint32_t>(at + 16);
      if (offset > metadata.size() - 8)
        metadata.fail("item {}: offset {}, expected inside the region of {} bytes", i + 1, offset, metadata.size());
      if (metadata.little<std::uint32_t>(offset + 4) & kHasParent)
        metadata.fail("file parameters: HasParent is set, expected not: {}", kFlatten);
      has_parameters = true;
    } else if (metadata.little<std::uint32_t>(at + 24) & kIsRequired &&
               std::ranges::find(kOtherItems, guid) == kOtherItems.end()) {
      metadata.fail("item {}: {} is required, and nobody knows what it is", i + 1, guid);
    }
  }
  if (!has_parameters)
    metadata.fail("no file parameters, expected item {}", kFileParameters);
}

}  // namespace gptgrow
