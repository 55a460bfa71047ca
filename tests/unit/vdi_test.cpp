// SPDX-License-Identifier: BSD-3-Clause
#include "core/format/format.h"
#include "tests/unit/header_bytes.h"

using namespace gptgrow;

namespace {

constexpr std::uint32_t kMebibyte = 1 << 20, kBlocks = 3;
constexpr std::uint64_t kWhole = (1 + std::uint64_t{kBlocks}) * kMebibyte;

Bytes vdi()
{
  Bytes header(512);
  put_little<std::uint32_t>(header, 0x40, 0xbeda107f);
  put_little<std::uint32_t>(header, 0x44, 0x00010001);
  put_little<std::uint32_t>(header, 0x4c, 1);
  put_little<std::uint32_t>(header, 0x158, kMebibyte);
  put_little<std::uint32_t>(header, 0x178, kMebibyte);
  put_little<std::uint32_t>(header, 0x184, kBlocks);
  return header;
}

std::string vdi_with(std::size_t at, std::uint32_t value, std::uint64_t size_bytes = kWhole)
{
  Bytes header = vdi();
  put_little(header, at, value);
  return said(check_vdi, std::move(header), size_bytes);
}

}  // namespace

TEST_CASE("A VDI is taken as long as its blocks are all there")
{
  CHECK(said(check_vdi, vdi(), kWhole) == kTaken);
  CHECK(said(check_vdi, vdi(), 2 * kWhole) == kTaken);
  CHECK(vdi_with(0x4c, 2) == kTaken);
  CHECK(vdi_with(0x184, 0, kMebibyte) == kTaken);
  for (const std::uint64_t size : {kWhole - 1, std::uint64_t{512}})
    CHECK(
        said(check_vdi, vdi(), size) ==
        fmt::format("image: VDI header: 3 blocks allocated, up to byte 4194304, expected inside the file of {} bytes: "
                    "it is cut off",
                    size));
  CHECK_THAT(vdi_with(0x184, UINT32_MAX), ContainsSubstring("up to byte 4503599627370496"));
  CHECK_THAT(vdi_with(0x158, UINT32_MAX), ContainsSubstring("up to byte 4298113023"));
  check_refused_when_cut(check_vdi, vdi());
}

TEST_CASE("A VDI that is another kind of file, or leads to another one, is refused by the field that says so")
{
  struct Wrong {
    std::size_t at;
    std::uint32_t value;
    const char* words;
  };
  for (const Wrong& wrong : {
           Wrong{0x40, 0, "signature 0x00000000, expected 0xbeda107f"},
           Wrong{0x44, 0x00010000, "version 1.0, expected 1.1"},
           Wrong{0x44, 0x00020001, "version 2.1, expected 1.1"},
           Wrong{0x4c, 0, "image type 0, expected 1 (dynamic) or 2 (fixed)"},
           Wrong{0x4c, 3, "image type 3, expected 1 (dynamic) or 2 (fixed): it has what differs from another image"},
           Wrong{0x4c, 4, "image type 4, expected 1 (dynamic) or 2 (fixed): it has what differs from another image"},
           Wrong{0x4c, 5, "image type 5, expected 1 (dynamic) or 2 (fixed)"},
           Wrong{0x178, kMebibyte / 2, "block size 524288, expected 1048576"},
       })
    CHECK_THAT(vdi_with(wrong.at, wrong.value), ContainsSubstring(wrong.words));
  for (std::size_t at = 0x1a8; at < 0x1c8; ++at) {
    Bytes header = vdi();
    header[at] = std::byte{1};
    CHECK_THAT(said(check_vdi, std::move(header), kWhole), ContainsSubstring("UUIDs of other images it belongs to"));
  }
}
