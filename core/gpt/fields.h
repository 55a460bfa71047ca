// SPDX-License-Identifier: BSD-3-Clause
// Little-endian fields at byte offsets, as GPT and MBR have them, and the CRC that GPT uses.
#pragma once

#include <boost/endian/conversion.hpp>
#include <boost/uuid/uuid.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace gptgrow {

using Guid = boost::uuids::uuid;

/// The unsigned integer at `offset`. Precondition: offset + sizeof(T) <= bytes.size().
template <typename T>
T get_field(std::span<const std::byte> bytes, std::size_t offset)
{
  return boost::endian::endian_load<T, sizeof(T), boost::endian::order::little>(
      reinterpret_cast<const unsigned char*>(bytes.subspan(offset, sizeof(T)).data()));
}

template <typename T>
void put_field(std::span<std::byte> bytes, std::size_t offset, T value)
{
  boost::endian::endian_store<T, sizeof(T), boost::endian::order::little>(
      reinterpret_cast<unsigned char*>(bytes.subspan(offset, sizeof(T)).data()), value);
}

/// The GUID at `offset`, from UEFI's mixed-endian bytes. Precondition: offset + 16 <= bytes.size().
Guid get_guid(std::span<const std::byte> bytes, std::size_t offset);

/// In upper case, as partitioning tools print it.
std::string guid_text(const Guid& guid);

/// The GUID that has this text. Throws std::runtime_error when there is none.
Guid guid_of(std::string_view text);

/// CRC-32 of UEFI (polynomial 04C11DB7h, reflected, as in Ethernet and zlib).
std::uint32_t crc32(std::span<const std::byte> bytes);

bool is_zero(std::span<const std::byte> bytes);

}  // namespace gptgrow
