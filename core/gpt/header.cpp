// SPDX-License-Identifier: BSD-3-Clause
#include "core/gpt/header.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <string_view>

namespace gptgrow {

namespace {

constexpr std::string_view kSignature = "EFI PART";
constexpr std::uint32_t kMinHeaderSizeBytes = 92;
constexpr std::uint32_t kMinEntrySizeBytes = 128;

std::string printable(std::span<const std::byte> bytes)
{
  std::string text;
  for (const std::byte byte : bytes) {
    const char c = static_cast<char>(byte);
    text += c >= 0x20 && c < 0x7f ? std::string(1, c) : fmt::format("\\x{:02x}", std::to_integer<unsigned>(byte));
  }
  return '"' + text + '"';
}

}  // namespace

bool Header::has_signature() const
{
  return std::memcmp(sector_.data(), kSignature.data(), kSignature.size()) == 0;
}

void Header::set_signature()
{
  std::memcpy(sector_.data(), kSignature.data(), kSignature.size());
}

std::uint64_t Header::array_sectors() const
{
  return array_size_bytes() / sector_.size() + (array_size_bytes() % sector_.size() != 0);
}

std::uint32_t Header::computed_header_crc32() const
{
  std::vector<std::byte> header(sector_.begin(), sector_.begin() + header_size_bytes());
  put_field<std::uint32_t>(header, kHeaderCrc32Offset, 0);
  return crc32(header);
}

ByteRange array_range(const Header& header, Lba at)
{
  return {bytes_of(at, 1, header.sector_size_bytes()).offset, header.array_size_bytes()};
}

std::vector<Problem> problems(const Header& header, Lba at)
{
  std::vector<Problem> found;
  const auto add = [&](std::string_view field, std::string value, std::string expected) {
    found.push_back({std::string(field), std::move(value), std::move(expected)});
  };

  if (!header.has_signature()) {
    add("signature", printable(header.sector().first(kSignature.size())), fmt::format("\"{}\"", kSignature));
    return found;
  }
  if (header.revision() != kRevision)
    add("revision", fmt::format("0x{:08x}", header.revision()), fmt::format("0x{:08x}", kRevision));
  if (header.header_size_bytes() < kMinHeaderSizeBytes || header.header_size_bytes() > header.sector_size_bytes())
    add("HeaderSize", fmt::to_string(header.header_size_bytes()),
        fmt::format("{} to {}", kMinHeaderSizeBytes, header.sector_size_bytes()));
  else if (header.header_crc32() != header.computed_header_crc32())
    add("CRC", fmt::format("0x{:08x}", header.header_crc32()), fmt::format("0x{:08x}", header.computed_header_crc32()));
  if (header.my_lba() != at)
    add("MyLBA", fmt::to_string(header.my_lba().value), fmt::to_string(at.value));

  if (header.entry_size_bytes() < kMinEntrySizeBytes || !std::has_single_bit(header.entry_size_bytes()))
    add("SizeOfPartitionEntry", fmt::to_string(header.entry_size_bytes()), "128, 256, 512, ... (128 * 2^n)");
  if (header.entry_count() == 0)
    add("NumberOfPartitionEntries", "0", "at least 1");
  if (header.array_size_bytes() > kMaxArraySizeBytes)
    add("partition entry array", fmt::format("{} bytes", header.array_size_bytes()),
        fmt::format("at most {} bytes", kMaxArraySizeBytes));

  const Lba max = max_lba(header.sector_size_bytes());
  const auto bounded = [&](std::string_view field, Lba lba) {
    if (lba > max)
      add(field, fmt::to_string(lba.value), fmt::format("at most {}", max.value));
    return lba <= max;
  };
  const bool alternate_ok = bounded("AlternateLBA", header.alternate_lba());
  const bool first_ok = bounded("FirstUsableLBA", header.first_usable_lba());
  const bool last_ok = bounded("LastUsableLBA", header.last_usable_lba());
  const bool array_ok = bounded("PartitionEntryLBA", header.partition_entry_lba()) && header.array_size_bytes() > 0 &&
                        header.array_size_bytes() <= kMaxArraySizeBytes;

  if (first_ok && last_ok && header.first_usable_lba() > header.last_usable_lba())
    add("FirstUsableLBA", fmt::to_string(header.first_usable_lba().value),
        fmt::format("at most LastUsableLBA {}", header.last_usable_lba().value));
  if (first_ok && last_ok && alternate_ok && array_ok) {
    const std::uint64_t first = header.partition_entry_lba().value;
    const std::uint64_t end = first + header.array_sectors();
    // A backup array that LastUsableLBA reaches into is no problem: the planner takes LastUsableLBA back.
    const Lba limit = at == kPrimaryLba ? header.first_usable_lba() : at;
    if (first <= kPrimaryLba.value || end > limit.value)
      add("PartitionEntryLBA", fmt::format("{} (array in LBA {}-{})", first, first, end - 1),
          fmt::format("an array after LBA 1 and before {} {}",
                      at == kPrimaryLba ? "FirstUsableLBA" : "its header at LBA", limit.value));
  }
  return found;
}

bool has_valid_header(std::span<const std::byte> bytes)
{
  for (const std::size_t size : {std::size_t{512}, std::size_t{4096}}) {
    if (bytes.size() < 2 * size)
      return false;
    const auto sector = bytes.subspan(size, size);
    if (problems(Header({sector.begin(), sector.end()}), kPrimaryLba).empty())
      return true;
  }
  return false;
}

}  // namespace gptgrow
