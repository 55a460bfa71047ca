// SPDX-License-Identifier: BSD-3-Clause
#include "core/format/format.h"
#include "core/gpt/fields.h"
#include "tests/unit/header_bytes.h"

using namespace gptgrow;

namespace {

constexpr std::size_t kRegions = 192 * 1024, kMetadata = 256 * 1024, kTable = 64 * 1024, kParameters = 1024;
constexpr const char *kBatGuid = "2DC27766-F623-4200-9D64-115E9BFD4A08",
                     *kMetadataGuid = "8B7CA206-4790-4B9A-B8FE-575F050F886E",
                     *kParametersGuid = "CAA16737-FA36-4D43-B3B6-33F0AA44E76B",
                     *kParentGuid = "A8D35F2D-B30B-454D-ABF7-D3D84834AB0C",
                     *kNobodysGuid = "00000001-0002-0003-0004-000000000005";

void put_guid(Bytes& file, std::size_t at, const char* text)
{
  const Guid guid = guid_of(text);
  const Guid mixed = get_guid(std::as_bytes(std::span(&guid, 1)), 0);  // the same way there and back
  std::ranges::copy(std::as_bytes(std::span(&mixed, 1)), file.begin() + static_cast<std::ptrdiff_t>(at));
}

void put_region(Bytes& file, std::size_t index, const char* guid, std::uint64_t offset, std::uint32_t size,
                bool is_required)
{
  const std::size_t at = kRegions + 16 + 32 * index;
  put_guid(file, at, guid);
  put_little(file, at + 16, offset);
  put_little(file, at + 24, size);
  put_little<std::uint32_t>(file, at + 28, is_required);
}

/// Bits: 1: of a user, 2: of the disk, 4: required.
void put_item(Bytes& file, std::size_t index, const char* guid, std::uint32_t offset, std::uint32_t flags)
{
  const std::size_t at = kMetadata + 32 + 32 * index;
  put_guid(file, at, guid);
  put_little(file, at + 16, offset);
  put_little(file, at + 24, flags);
}

const Bytes& vhdx()
{
  static const Bytes whole = [] {
    Bytes file(kMetadata + kTable);
    put_text(file, 0, "vhdxfile");
    put_text(file, kRegions, "regi");
    put_little<std::uint32_t>(file, kRegions + 8, 2);
    put_region(file, 0, kBatGuid, 1 << 20, 1 << 20, true);
    put_region(file, 1, kMetadataGuid, kMetadata, kTable, true);
    put_text(file, kMetadata, "metadata");
    put_little<std::uint16_t>(file, kMetadata + 10, 5);
    put_item(file, 0, kParametersGuid, kParameters, 4);
    std::size_t index = 1;
    for (const char* guid : {"2FA54224-CD1B-4876-B211-5DBED83BF4B8", "BECA12AB-B2E6-4523-93EF-C309E000C746",
                             "8141BF1D-A96F-4709-BA47-F233A8FAAB5F", "CDA348C7-445D-4471-9CC9-E9885251C556"})
      put_item(file, index++, guid, 2048, 4 | 2);
    return file;
  }();
  return whole;
}

template <typename Change>
std::string vhdx_with(Change change)
{
  Bytes file = vhdx();
  change(file);
  return said(check_vhdx, std::move(file));
}

}  // namespace

TEST_CASE("A VHDX is taken, and none that is cut off before the end of its metadata")
{
  CHECK(said(check_vhdx, vhdx()) == kTaken);
  check_refused_when_cut(check_vhdx, vhdx(), 8191);
}

TEST_CASE("The region table of a VHDX leads to one metadata region, and to none that nobody knows")
{
  CHECK_THAT(vhdx_with([](Bytes& file) { file[7] = std::byte{0}; }), ContainsSubstring("expected \"vhdxfile\""));
  CHECK_THAT(vhdx_with([](Bytes& file) { file[kRegions] = std::byte{0}; }), ContainsSubstring("expected \"regi\""));
  const auto count = [](std::uint32_t value) {
    return vhdx_with([&](Bytes& file) { put_little(file, kRegions + 8, value); });
  };
  CHECK(count(2047) == kTaken);
  for (const std::uint32_t value : {2048U, UINT32_MAX})
    CHECK_THAT(count(value), ContainsSubstring(fmt::format("EntryCount {}, expected up to 2047", value)));
  CHECK_THAT(count(1), ContainsSubstring("no metadata region, expected 8B7CA206"));
  CHECK_THAT(vhdx_with([](Bytes& file) { put_region(file, 0, kMetadataGuid, kMetadata, kTable, true); }),
             ContainsSubstring("two metadata regions"));
  CHECK_THAT(vhdx_with([](Bytes& file) { put_region(file, 0, kNobodysGuid, 0, 0, true); }),
             ContainsSubstring("region 00000001-0002-0003-0004-000000000005 is required"));
  CHECK(vhdx_with([](Bytes& file) { put_region(file, 0, kNobodysGuid, 0, 0, false); }) == kTaken);
  const auto region = [](std::uint64_t offset, std::uint32_t size) {
    return vhdx_with([&](Bytes& file) { put_region(file, 1, kMetadataGuid, offset, size, true); });
  };
  for (const std::uint32_t size :
       {std::uint32_t{0}, std::uint32_t{kTable - 1}, std::uint32_t{64 * kTable + 1}, UINT32_MAX})
    CHECK_THAT(region(kMetadata, size),
               ContainsSubstring(fmt::format("a metadata region of {} bytes, expected 65536 to 4194304", size)));
  for (const std::uint64_t offset : {std::uint64_t{kMetadata + 1}, UINT64_MAX})
    CHECK_THAT(region(offset, kTable), ContainsSubstring("VHDX metadata: bytes"));
  CHECK_THAT(region(kMetadata - 1, kTable), ContainsSubstring("expected \"metadata\""));
}

TEST_CASE("The metadata of a VHDX tell of no parent, and of nothing that nobody knows")
{
  const auto count = [](std::uint16_t value) {
    return vhdx_with([&](Bytes& file) { put_little(file, kMetadata + 10, value); });
  };
  CHECK_THAT(count(0), ContainsSubstring("no file parameters, expected item CAA16737"));
  CHECK_THAT(count(2048), ContainsSubstring("EntryCount 2048, expected up to 2047"));
  CHECK(count(1) == kTaken);
  CHECK(count(2047) == kTaken);
  const auto item = [](const char* guid, std::uint32_t flags) {
    return vhdx_with([&](Bytes& file) { put_item(file, 4, guid, 2048, flags); });
  };
  for (const std::uint32_t flags : {0U, 4U})
    CHECK_THAT(item(kParentGuid, flags), ContainsSubstring("item 5: a parent locator, expected none"));
  CHECK_THAT(item(kNobodysGuid, 4), ContainsSubstring("item 5: 00000001-0002-0003-0004-000000000005 is required"));
  CHECK(item(kNobodysGuid, 1 | 2) == kTaken);
  const auto parameters = [](std::uint32_t offset, std::uint32_t bits) {
    return vhdx_with([&](Bytes& file) {
      put_item(file, 0, kParametersGuid, offset, 4);
      if (offset <= kTable - 8)
        put_little(file, kMetadata + offset + 4, bits);
    });
  };
  CHECK(parameters(kTable - 8, 1) == kTaken);
  for (const std::uint32_t offset : {std::uint32_t{kTable - 7}, UINT32_MAX})
    CHECK_THAT(parameters(offset, 0),
               ContainsSubstring(fmt::format("item 1: offset {}, expected inside the region of 65536 bytes", offset)));
  for (const std::uint32_t bits : {2U, 3U})
    CHECK_THAT(parameters(kTable - 8, bits), ContainsSubstring("HasParent is set"));
}
