// SPDX-License-Identifier: BSD-3-Clause
// One GPT header: UEFI 2.10, 5.3.2, table 5-5.
#pragma once

#include "core/gpt/fields.h"
#include "core/units.h"

#include <string>
#include <vector>

namespace gptgrow {

/// The primary header's place. The backup header's is the last LBA.
inline constexpr Lba kPrimaryLba{1};

/// The place of HeaderCRC32 in a header.
inline constexpr std::size_t kHeaderCrc32Offset = 16;

/// The one that UEFI has named since GPT 1.0.
inline constexpr std::uint32_t kRevision = 0x00010000;

/// The largest partition entry array that is read, in bytes.
inline constexpr std::uint64_t kMaxArraySizeBytes = std::uint64_t{16} << 20;

/// A header together with the rest of its sector, verbatim: what no setter names keeps every bit. Nothing is checked on
/// construction; problems() says what is wrong. Fields have UEFI's names.
class Header {
public:
  /// Takes over one logical sector. Precondition: at least 512 bytes.
  explicit Header(std::vector<std::byte> sector) : sector_(std::move(sector)) {}

  bool has_signature() const;  // Signature is "EFI PART"
  std::uint32_t revision() const { return get_field<std::uint32_t>(sector_, 8); }
  std::uint32_t header_size_bytes() const { return get_field<std::uint32_t>(sector_, 12); }
  std::uint32_t header_crc32() const { return get_field<std::uint32_t>(sector_, kHeaderCrc32Offset); }
  Lba my_lba() const { return lba(24); }
  Lba alternate_lba() const { return lba(32); }
  Lba first_usable_lba() const { return lba(40); }
  Lba last_usable_lba() const { return lba(48); }  // inclusive
  Guid disk_guid() const { return get_guid(sector_, 56); }
  Lba partition_entry_lba() const { return lba(72); }
  std::uint32_t entry_count() const { return get_field<std::uint32_t>(sector_, 80); }       // NumberOfPartitionEntries
  std::uint32_t entry_size_bytes() const { return get_field<std::uint32_t>(sector_, 84); }  // SizeOfPartitionEntry
  std::uint32_t array_crc32() const { return get_field<std::uint32_t>(sector_, 88); }       // PartitionEntryArrayCRC32

  std::span<const std::byte> sector() const { return sector_; }
  std::uint32_t sector_size_bytes() const { return static_cast<std::uint32_t>(sector_.size()); }
  std::uint64_t array_size_bytes() const { return std::uint64_t{entry_count()} * entry_size_bytes(); }
  std::uint64_t array_sectors() const;

  /// HeaderCRC32 as it should be. Precondition: HeaderSize lies in [20, sector size].
  std::uint32_t computed_header_crc32() const;

  void set_signature();
  void set_my_lba(Lba lba) { put_field(bytes(), 24, lba.value); }
  void set_alternate_lba(Lba lba) { put_field(bytes(), 32, lba.value); }
  void set_last_usable_lba(Lba lba) { put_field(bytes(), 48, lba.value); }
  void set_partition_entry_lba(Lba lba) { put_field(bytes(), 72, lba.value); }
  void set_entry_count(std::uint32_t value) { put_field(bytes(), 80, value); }
  void set_entry_size_bytes(std::uint32_t value) { put_field(bytes(), 84, value); }
  void set_array_crc32(std::uint32_t value) { put_field(bytes(), 88, value); }

  /// Sets HeaderCRC32. Call it after the other setters, on a header that has no problems().
  void seal() { put_field(bytes(), kHeaderCrc32Offset, computed_header_crc32()); }

private:
  std::span<std::byte> bytes() { return sector_; }
  Lba lba(std::size_t offset) const { return Lba{get_field<std::uint64_t>(sector_, offset)}; }

  std::vector<std::byte> sector_;
};

/// The bytes of an array of the length that `header` names, from `at` on. Preconditions: at <= max_lba(); at most kMaxArraySizeBytes.
ByteRange array_range(const Header& header, Lba at);

/// One thing that is wrong with a field, ready to be printed.
struct Problem {
  std::string field;
  std::string found;
  std::string expected;
};

/// Everything that makes `header`, read at `at`, unusable, the first one first: signature, revision, size, CRC, MyLBA,
/// the array's shape and place, the usable area. Empty: every LBA in it is at most max_lba(), and so are their sums
/// with the array's length. At kPrimaryLba it is judged as a primary header, elsewhere as a backup header.
std::vector<Problem> problems(const Header& header, Lba at);

/// Whether a disk that begins with `bytes` has a primary header without problems(), for sectors of 512 or 4096 bytes.
bool has_valid_header(std::span<const std::byte> bytes);

}  // namespace gptgrow
