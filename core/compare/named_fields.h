// SPDX-License-Identifier: BSD-3-Clause
// The fields of an MBR, a GPT header and a partition entry, by UEFI's names, and their values in words.
#pragma once

#include "core/gpt/fields.h"

#include <string>
#include <vector>

namespace gptgrow {

/// What a field is, for programs; its name is for people.
enum class FieldId {
  other,
  // of an MBR
  boot_code,
  disk_signature,  // with the two bytes behind it
  boot_indicator,
  chs,
  os_type,
  starting_lba,
  size_in_lba,
  // of a header
  header_size,
  reserved,  // with the rest of the sector
  header_crc32,
  my_lba,
  alternate_lba,
  first_usable_lba,
  last_usable_lba,
  disk_guid,
  partition_entry_lba,
  entry_count,
  entry_size,
  array_crc32,
  // of an entry
  type_guid,
  partition_guid,
  first_lba,
  last_lba,
  attributes,
  partition_name,
};

struct NamedField {
  enum class Format { number, code, guid, utf16, bytes };

  std::size_t offset = 0;
  std::size_t size = 0;
  std::string name;
  Format format = Format::bytes;
  FieldId id = FieldId::other;
};

/// Each covers its structure wholly, in order of offset, the bytes that UEFI leaves open included. Preconditions: a
/// sector of at least 512 bytes, an entry of at least 128.
std::vector<NamedField> mbr_fields(std::size_t sector_size_bytes);
std::vector<NamedField> header_fields(std::size_t sector_size_bytes);
std::vector<NamedField> entry_fields(std::size_t entry_size_bytes);

/// The value of `field` for people. `bytes` are the field's own. Names are escaped.
std::string in_words(const NamedField& field, std::span<const std::byte> bytes);

/// "0a1b2c"
std::string to_hex(std::span<const std::byte> bytes);

}  // namespace gptgrow
