// SPDX-License-Identifier: BSD-3-Clause
#include "core/compare/named_fields.h"

#include "core/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace gptgrow {

namespace {

using Format = NamedField::Format;

constexpr std::size_t kBytesSpelledOut = 8;

/// Appends the bytes up to `end` that no field has named.
void add_rest(std::vector<NamedField>& fields, std::size_t end, const char* name, FieldId id = FieldId::other)
{
  const std::size_t offset = fields.back().offset + fields.back().size;
  if (offset < end)
    fields.push_back({offset, end - offset, name, Format::bytes, id});
}

std::uint64_t number(std::span<const std::byte> bytes)
{
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;)
    value = value << 8 | std::to_integer<std::uint64_t>(bytes[i]);
  return value;
}

}  // namespace

std::vector<NamedField> mbr_fields(std::size_t sector_size_bytes)
{
  std::vector<NamedField> fields{{0, 440, "BootCode", Format::bytes, FieldId::boot_code},
                                 {440, 4, "UniqueMBRDiskSignature", Format::code, FieldId::disk_signature},
                                 {444, 2, "Unknown", Format::bytes, FieldId::disk_signature}};
  for (std::size_t i = 0; i < 4; ++i) {
    const std::size_t at = 446 + 16 * i;
    const auto add = [&](std::size_t offset, std::size_t size, const char* name, Format format, FieldId id) {
      fields.push_back({at + offset, size, fmt::format("record {} {}", i + 1, name), format, id});
    };
    add(0, 1, "BootIndicator", Format::code, FieldId::boot_indicator);
    add(1, 3, "StartingCHS", Format::bytes, FieldId::chs);
    add(4, 1, "OSType", Format::code, FieldId::os_type);
    add(5, 3, "EndingCHS", Format::bytes, FieldId::chs);
    add(8, 4, "StartingLBA", Format::number, FieldId::starting_lba);
    add(12, 4, "SizeInLBA", Format::number, FieldId::size_in_lba);
  }
  fields.push_back({510, 2, "Signature", Format::code});
  add_rest(fields, sector_size_bytes, "rest of the sector");
  return fields;
}

std::vector<NamedField> header_fields(std::size_t sector_size_bytes)
{
  std::vector<NamedField> fields{{0, 8, "Signature", Format::bytes},
                                 {8, 4, "Revision", Format::code},
                                 {12, 4, "HeaderSize", Format::number, FieldId::header_size},
                                 {16, 4, "HeaderCRC32", Format::code, FieldId::header_crc32},
                                 {20, 4, "Reserved", Format::bytes, FieldId::reserved},
                                 {24, 8, "MyLBA", Format::number, FieldId::my_lba},
                                 {32, 8, "AlternateLBA", Format::number, FieldId::alternate_lba},
                                 {40, 8, "FirstUsableLBA", Format::number, FieldId::first_usable_lba},
                                 {48, 8, "LastUsableLBA", Format::number, FieldId::last_usable_lba},
                                 {56, 16, "DiskGUID", Format::guid, FieldId::disk_guid},
                                 {72, 8, "PartitionEntryLBA", Format::number, FieldId::partition_entry_lba},
                                 {80, 4, "NumberOfPartitionEntries", Format::number, FieldId::entry_count},
                                 {84, 4, "SizeOfPartitionEntry", Format::number, FieldId::entry_size},
                                 {88, 4, "PartitionEntryArrayCRC32", Format::code, FieldId::array_crc32}};
  add_rest(fields, sector_size_bytes, "rest of the sector", FieldId::reserved);
  return fields;
}

std::vector<NamedField> entry_fields(std::size_t entry_size_bytes)
{
  std::vector<NamedField> fields{{0, 16, "PartitionTypeGUID", Format::guid, FieldId::type_guid},
                                 {16, 16, "UniquePartitionGUID", Format::guid, FieldId::partition_guid},
                                 {32, 8, "StartingLBA", Format::number, FieldId::first_lba},
                                 {40, 8, "EndingLBA", Format::number, FieldId::last_lba},
                                 {48, 8, "Attributes", Format::code, FieldId::attributes},
                                 {56, 72, "PartitionName", Format::utf16, FieldId::partition_name}};
  add_rest(fields, entry_size_bytes, "rest of the entry");
  return fields;
}

std::string in_words(const NamedField& field, std::span<const std::byte> bytes)
{
  switch (field.format) {
  case Format::number: return fmt::to_string(number(bytes));
  case Format::code: return fmt::format("0x{:0{}x}", number(bytes), 2 * bytes.size());
  case Format::guid: return guid_text(get_guid(bytes, 0));
  case Format::utf16: {
    std::u16string name(bytes.size() / 2, u'\0');
    for (std::size_t i = 0; i < name.size(); ++i)
      name[i] = get_field<std::uint16_t>(bytes, 2 * i);
    name.resize(name.find_last_not_of(u'\0') + 1);
    return '"' + printable(name) + '"';
  }
  case Format::bytes: break;
  }
  if (bytes.size() <= kBytesSpelledOut)
    return to_hex(bytes) + 'h';
  return is_zero(bytes) ? "zeros" : fmt::format("{} bytes, CRC 0x{:08x}", bytes.size(), crc32(bytes));
}

std::string to_hex(std::span<const std::byte> bytes)
{
  constexpr char digits[] = "0123456789abcdef";
  std::string text(2 * bytes.size(), '0');
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    text[2 * i] = digits[std::to_integer<unsigned>(bytes[i] >> 4)];
    text[2 * i + 1] = digits[std::to_integer<unsigned>(bytes[i] & std::byte{15})];
  }
  return text;
}

}  // namespace gptgrow
