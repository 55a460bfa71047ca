// SPDX-License-Identifier: BSD-3-Clause
// VHD, as Microsoft's Virtual Hard Disk Image Format Specification 1.0 has it. Numbers are big-endian.
#include "core/format/format.h"
#include "core/format/header_reader.h"

namespace gptgrow {

namespace {

constexpr std::uint64_t kFooterBytes = 512, kDynamicHeaderBytes = 1024;
constexpr std::uint32_t kFixedDisk = 2, kDynamicDisk = 3, kDifferencingDisk = 4;
constexpr std::size_t kLocators = 8, kLocatorBytes = 24, kFirstLocator = 576;

/// The ones' complement of the sum of all bytes but itself.
std::uint32_t checksum_but(const HeaderReader& header, std::size_t own)
{
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < header.size(); ++i)
    if (i < own || i >= own + 4)
      sum += static_cast<std::uint8_t>(header.bytes(i, 1)[0]);
  return ~sum;
}

void check_checksum(const HeaderReader& header, std::size_t at)
{
  if (const auto found = header.big<std::uint32_t>(at); found != checksum_but(header, at))
    header.fail("Checksum 0x{:08x}, expected 0x{:08x}", found, checksum_but(header, at));
}

void check_footer(const HeaderReader& footer)
{
  if (footer.text(0, 8) != "conectix")
    footer.fail("Cookie \"{}\", expected \"conectix\": it is no VHD, or cut off", footer.text(0, 8));
  if (const auto version = footer.big<std::uint32_t>(12); version >> 16 != 1)
    footer.fail("File Format Version 0x{:08x}, expected 0x00010000", version);
  const auto type = footer.big<std::uint32_t>(60);
  if (type == kDifferencingDisk)
    footer.fail("Disk Type {}, expected 2 (fixed) or 3 (dynamic): it has what differs from a parent: {}", type,
                kFlatten);
  if (type != kFixedDisk && type != kDynamicDisk)
    footer.fail("Disk Type {}, expected 2 (fixed) or 3 (dynamic)", type);
  check_checksum(footer, 64);
}

void check_dynamic_header(const Source& file, std::uint64_t offset)
{
  const HeaderReader header(file, "VHD dynamic header", {offset, kDynamicHeaderBytes});
  if (header.text(0, 8) != "cxsparse")
    header.fail("Cookie \"{}\", expected \"cxsparse\"", header.text(0, 8));
  check_checksum(header, 36);
  if (!header.is_zero(40, 16) || !header.is_zero(64, 512))
    header.fail("Parent Unique ID or Parent Unicode Name, expected zeros: {}", kFlatten);
  for (std::size_t i = 0; i < kLocators; ++i)
    if (!header.is_zero(kFirstLocator + i * kLocatorBytes, kLocatorBytes))
      header.fail("Parent Locator Entry {}, expected zeros: {}", i + 1, kFlatten);
}

}  // namespace

void check_vhd(const Source& file)
{
  const std::uint64_t at = file.size_bytes() - std::min(file.size_bytes(), kFooterBytes);
  const HeaderReader footer(file, "VHD footer", {at, kFooterBytes});
  check_footer(footer);
  if (footer.big<std::uint32_t>(60) == kFixedDisk) {
    if (const auto size = footer.big<std::uint64_t>(48); size != at)
      footer.fail("Current Size {}, expected {}, what the file has before the footer", size, at);
    if (HeaderReader(file, "VHD", {0, 8}).text(0, 8) == "conectix")
      footer.fail("Disk Type 2 (fixed), expected 3 (dynamic) as the file begins with a copy of it");
    return;
  }
  const HeaderReader copy(file, "VHD footer copy", {0, kFooterBytes});
  check_footer(copy);
  if (copy.big<std::uint32_t>(60) != kDynamicDisk)
    copy.fail("Disk Type {}, expected {} as in the footer", copy.big<std::uint32_t>(60), kDynamicDisk);
  check_dynamic_header(file, copy.big<std::uint64_t>(16));
}

}  // namespace gptgrow
