// SPDX-License-Identifier: BSD-3-Clause
#include "core/gpt/fields.h"

#include <boost/crc.hpp>
#include <boost/uuid/string_generator.hpp>
#include <boost/uuid/uuid_io.hpp>

#include <algorithm>
#include <cstring>

namespace gptgrow {

Guid get_guid(std::span<const std::byte> bytes, std::size_t offset)
{
  Guid guid;
  std::memcpy(&guid, bytes.subspan(offset, 16).data(), 16);
  const auto reverse = [&](int first, int last) { std::reverse(guid.begin() + first, guid.begin() + last); };
  reverse(0, 4);
  reverse(4, 6);
  reverse(6, 8);
  return guid;
}

std::string guid_text(const Guid& guid)
{
  std::string text = boost::uuids::to_string(guid);
  for (char& c : text)
    if (c >= 'a')
      c = static_cast<char>(c - 'a' + 'A');
  return text;
}

Guid guid_of(std::string_view text)
{
  return boost::uuids::string_generator()(text.begin(), text.end());
}

std::uint32_t crc32(std::span<const std::byte> bytes)
{
  boost::crc_32_type crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return crc.checksum();
}

bool is_zero(std::span<const std::byte> bytes)
{
  // Each byte equals the one before it, and the first is zero.
  return bytes.empty() ||
         (bytes[0] == std::byte{0} && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

}  // namespace gptgrow
