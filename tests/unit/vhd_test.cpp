// SPDX-License-Identifier: BSD-3-Clause
#include "core/format/format.h"
#include "tests/unit/header_bytes.h"

using namespace gptgrow;

namespace {

constexpr std::size_t kDynamicHeader = 512, kFooter = 4096;

/// The checksum of `size` bytes, which lies at `own` in them.
void put_checksum(Bytes& file, std::size_t at, std::size_t size, std::size_t own)
{
  put_big<std::uint32_t>(file, at + own, 0);
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < size; ++i)
    sum += std::to_integer<std::uint32_t>(file[at + i]);
  put_big<std::uint32_t>(file, at + own, ~sum);
}

void put_checksums(Bytes& file)
{
  if (file[0] != std::byte{0}) {
    put_checksum(file, 0, 512, 64);
    put_checksum(file, kDynamicHeader, 1024, 36);
  }
  put_checksum(file, kFooter, 512, 64);
}

void put_footer(Bytes& file, std::size_t at, std::uint32_t type)
{
  put_text(file, at, "conectix");
  put_big<std::uint32_t>(file, at + 12, 0x00010000);
  put_big<std::uint64_t>(file, at + 16, type == 2 ? UINT64_MAX : kDynamicHeader);
  put_big<std::uint64_t>(file, at + 48, kFooter);
  put_big<std::uint32_t>(file, at + 60, type);
}

Bytes fixed()
{
  Bytes file(kFooter + 512);
  put_footer(file, kFooter, 2);
  put_checksums(file);
  return file;
}

Bytes dynamic()
{
  Bytes file(kFooter + 512);
  put_footer(file, 0, 3);
  put_footer(file, kFooter, 3);
  put_text(file, kDynamicHeader, "cxsparse");
  put_checksums(file);
  return file;
}

/// Its checksums are right all the same.
template <typename T>
std::string vhd_with(Bytes file, std::initializer_list<std::size_t> places, T value)
{
  for (const std::size_t at : places)
    put_big<T>(file, at, value);
  put_checksums(file);
  return said(check_vhd, std::move(file));
}

}  // namespace

TEST_CASE("A VHD is taken, and none that is cut off anywhere, or has a bit of its headers turned")
{
  const bool is_dynamic = GENERATE(false, true);
  const Bytes file = is_dynamic ? dynamic() : fixed();
  CHECK(said(check_vhd, file) == kTaken);
  check_refused_when_cut(check_vhd, file, 7);
  for (const auto& [begin, end] :
       {std::pair{std::size_t{0}, is_dynamic ? std::size_t{1536} : 0}, {kFooter, file.size()}})
    for (std::size_t at = begin; at < end; ++at) {
      Bytes damaged = file;
      damaged[at] ^= std::byte{1} << (at % 8);
      CAPTURE(at);
      REQUIRE(said(check_vhd, std::move(damaged)) != kTaken);
    }
}

TEST_CASE("A footer of a VHD is refused by the field that is wrong, in both places")
{
  for (const std::uint32_t type : {0U, 1U, 5U, 6U})
    CHECK_THAT(vhd_with(dynamic(), {60, kFooter + 60}, type),
               ContainsSubstring(fmt::format("VHD footer: Disk Type {}, expected 2 (fixed) or 3 (dynamic)", type)));
  CHECK_THAT(vhd_with(dynamic(), {60, kFooter + 60}, 4U), ContainsSubstring("it has what differs from a parent"));
  CHECK_THAT(vhd_with(dynamic(), {60}, 2U),
             ContainsSubstring("VHD footer copy: Disk Type 2, expected 3 as in the footer"));
  CHECK_THAT(vhd_with(dynamic(), {60}, 4U), ContainsSubstring("VHD footer copy: Disk Type 4"));
  for (const std::uint32_t version : {0U, 0x00020000U, 0xffffU})
    CHECK_THAT(vhd_with(fixed(), {kFooter + 12}, version),
               ContainsSubstring(fmt::format("File Format Version 0x{:08x}, expected 0x00010000", version)));
  CHECK(vhd_with(fixed(), {kFooter + 12}, 0x00010001U) == kTaken);
  CHECK_THAT(vhd_with(fixed(), {kFooter}, '-'), ContainsSubstring("expected \"conectix\": it is no VHD, or cut off"));
}

TEST_CASE("A fixed VHD is as long as it says, and does not begin as a dynamic one does")
{
  for (const std::uint64_t size :
       {std::uint64_t{0}, std::uint64_t{kFooter - 1}, std::uint64_t{kFooter + 1}, UINT64_MAX})
    CHECK_THAT(
        vhd_with(fixed(), {kFooter + 48}, size),
        ContainsSubstring(fmt::format("Current Size {}, expected 4096, what the file has before the footer", size)));
  Bytes file = fixed();
  put_text(file, 0, "conectix");
  CHECK_THAT(said(check_vhd, file), ContainsSubstring("Disk Type 2 (fixed), expected 3 (dynamic)"));
}

TEST_CASE("Whatever a dynamic header of a VHD says of a parent, it is refused")
{
  for (std::size_t at = kDynamicHeader + 40; at < kDynamicHeader + 576 + 192; ++at) {
    const bool is_time_stamp = at >= kDynamicHeader + 56 && at < kDynamicHeader + 64;
    CAPTURE(at);
    const std::string answer = vhd_with(dynamic(), {at}, 'x');
    if (is_time_stamp)
      REQUIRE(answer == kTaken);
    else
      REQUIRE_THAT(answer, ContainsSubstring("VHD dynamic header: Parent "));
  }
  CHECK_THAT(vhd_with(dynamic(), {kDynamicHeader + 576 + 7 * 24}, 'x'), ContainsSubstring("Parent Locator Entry 8"));
  CHECK_THAT(vhd_with(dynamic(), {kDynamicHeader}, 'x'), ContainsSubstring("expected \"cxsparse\""));
  for (const std::uint64_t place : {std::uint64_t{3585}, UINT64_MAX})
    CHECK_THAT(vhd_with(dynamic(), {16}, place), ContainsSubstring("VHD dynamic header: bytes"));
}
