// SPDX-License-Identifier: BSD-3-Clause
#include "core/gpt/fields.h"
#include "tests/unit/catch2.h"

#include <array>
#include <vector>

using namespace gptgrow;

TEST_CASE("Fields are little-endian, at any offset")
{
  std::array<std::byte, 16> bytes{};
  put_field<std::uint32_t>(bytes, 3, 0x01020304);
  CHECK(bytes[3] == std::byte{4});
  CHECK(bytes[6] == std::byte{1});
  CHECK(get_field<std::uint32_t>(bytes, 3) == 0x01020304);
  CHECK(get_field<std::uint16_t>(bytes, 5) == 0x0102);
}

TEST_CASE("A GUID has UEFI's mixed-endian bytes")
{
  std::array<std::byte, 18> bytes{};
  for (std::size_t i = 0; i < 16; ++i)
    bytes[i + 2] = static_cast<std::byte>(i);
  CHECK(guid_text(get_guid(bytes, 2)) == "03020100-0504-0706-0809-0A0B0C0D0E0F");
}

TEST_CASE("The CRC is that of Ethernet and zlib")
{
  const std::string_view text = "123456789";
  CHECK(crc32(std::as_bytes(std::span(text))) == 0xcbf43926);
  CHECK(crc32({}) == 0);
}

TEST_CASE("Any byte that is not zero is seen")
{
  CHECK(is_zero({}));
  std::vector<std::byte> bytes(100);
  CHECK(is_zero(bytes));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = std::byte{1};
    CHECK_FALSE(is_zero(bytes));
    bytes[i] = std::byte{0};
  }
}
