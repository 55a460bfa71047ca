// SPDX-License-Identifier: BSD-3-Clause
// VDI of VirtualBox, version 1.1. Numbers are little-endian.
#include "core/format/format.h"
#include "core/format/header_reader.h"

namespace gptgrow {

namespace {

constexpr std::uint64_t kVdiHeaderBytes = 512;
constexpr std::uint32_t kDynamic = 1, kFixed = 2, kUndo = 3, kDifferencing = 4;
constexpr std::uint32_t kVdiBlockBytes = 1 << 20;  // the one size that there is

}  // namespace

void check_vdi(const Source& file)
{
  const HeaderReader header(file, "VDI header", {0, kVdiHeaderBytes});
  if (const auto signature = header.little<std::uint32_t>(0x40); signature != 0xbeda107f)
    header.fail("signature 0x{:08x}, expected 0xbeda107f", signature);
  if (const auto version = header.little<std::uint32_t>(0x44); version != 0x00010001)
    header.fail("version {}.{}, expected 1.1", version >> 16, version & 0xffff);
  const auto type = header.little<std::uint32_t>(0x4c);
  if (type == kUndo || type == kDifferencing)
    header.fail("image type {}, expected 1 (dynamic) or 2 (fixed): it has what differs from another image: {}", type,
                kFlatten);
  if (type != kDynamic && type != kFixed)
    header.fail("image type {}, expected 1 (dynamic) or 2 (fixed)", type);
  if (!header.is_zero(0x1a8, 16) || !header.is_zero(0x1b8, 16))
    header.fail("UUIDs of other images it belongs to, expected zeros: {}", kFlatten);
  if (const auto block = header.little<std::uint32_t>(0x178); block != kVdiBlockBytes)
    header.fail("block size {}, expected {}", block, kVdiBlockBytes);
  const auto data_offset = header.little<std::uint32_t>(0x158), allocated = header.little<std::uint32_t>(0x184);
  const std::uint64_t end = data_offset + std::uint64_t{allocated} * kVdiBlockBytes;
  if (end > file.size_bytes())
    header.fail("{} blocks allocated, up to byte {}, expected inside the file of {} bytes: it is cut off", allocated,
                end, file.size_bytes());
}

}  // namespace gptgrow
