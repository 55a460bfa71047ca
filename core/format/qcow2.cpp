// SPDX-License-Identifier: BSD-3-Clause
// qcow2, versions 2 and 3: QEMU's docs/interop/qcow2.txt, whose names the fields have. Numbers are big-endian.
#include "core/format/format.h"
#include "core/format/header_reader.h"

namespace gptgrow {

namespace {

constexpr std::uint32_t kVersion2HeaderBytes = 72, kVersion3HeaderBytes = 104;

// Incompatible features.
constexpr std::uint64_t kCorrupt = 1 << 1, kExternalDataFile = 1 << 2;
constexpr std::uint64_t kHarmless =
    1 << 0 | 1 << 3 | 1 << 4;  // dirty (of refcounts alone), compression type, extended L2

// Header extensions.
constexpr std::uint32_t kEndOfExtensions = 0, kDataFileName = 0x44415441, kEncryptionHeader = 0x0537be77;

constexpr std::uint64_t kMaxRefcountTableBytes = 8 << 20;  // QEMU's limit
constexpr unsigned kMaxEmptyBlocks = 64;

void check_extensions(const HeaderReader& first, std::size_t at)
{
  while (at + 8 <= first.size()) {
    const auto type = first.big<std::uint32_t>(at), size = first.big<std::uint32_t>(at + 4);
    if (type == kEndOfExtensions)
      return;
    if (size > first.size() - at - 8)
      first.fail("header extension 0x{:08x} at byte {}: length {}, expected to end inside the first cluster", type, at,
                 size);
    if (type == kDataFileName)
      first.fail("header extension 0x{:08x}: external data file \"{}\", expected none: {}", type,
                 first.text(at + 8, size), kFlatten);
    if (type == kEncryptionHeader)
      first.fail("header extension 0x{:08x}: encrypted, expected not; qemu-img convert makes a decrypted image", type);
    at += 8 + (std::size_t{size} + 7) / 8 * 8;
  }
}

/// Where QEMU finds the end of a file it reads zeros. The last cluster that is in use has to begin inside it.
void check_not_cut_off(const Source& file, const HeaderReader& header, std::uint64_t cluster_bytes,
                       unsigned refcount_order)
{
  const auto table_offset = header.big<std::uint64_t>(48);
  const std::uint64_t table_bytes = header.big<std::uint32_t>(56) * cluster_bytes;
  if (table_bytes == 0 || table_bytes > kMaxRefcountTableBytes)
    header.fail("refcount_table_clusters {}, expected 1 to {}", header.big<std::uint32_t>(56),
                kMaxRefcountTableBytes / cluster_bytes);
  const HeaderReader table(file, "qcow2 refcount table", {table_offset, table_bytes});
  const std::uint64_t refcounts_per_block = (cluster_bytes * 8) >> refcount_order;
  unsigned empty = 0;
  for (std::size_t i = table.size() / 8; i-- > 0 && empty < kMaxEmptyBlocks;) {
    const std::uint64_t block_offset = table.big<std::uint64_t>(8 * i) & ~std::uint64_t{511};
    if (block_offset == 0)
      continue;
    const HeaderReader block(file, "qcow2 refcount block", {block_offset, cluster_bytes});
    std::size_t used = block.size();
    while (used > 0 && block.is_zero(used - 1, 1))
      --used;
    if (used == 0) {
      ++empty;
      continue;
    }
    const std::uint64_t last = i * refcounts_per_block + ((used * 8 - 1) >> refcount_order);
    if (last > file.size_bytes() / cluster_bytes || last * cluster_bytes >= file.size_bytes())
      table.fail("cluster {} of {} bytes is in use, expected inside the file of {} bytes: it is cut off", last,
                 cluster_bytes, file.size_bytes());
    return;
  }
}

}  // namespace

void check_qcow2(const Source& file)
{
  const std::string what = "qcow2 header";
  const HeaderReader header(file, what, {0, kVersion2HeaderBytes});
  const auto version = header.big<std::uint32_t>(4);
  if (header.text(0, 4) != "QFI\xfb")
    header.fail("magic 0x{:08x}, expected 0x514649fb", header.big<std::uint32_t>(0));
  if (version != 2 && version != 3)
    header.fail("version {}, expected 2 or 3", version);
  if (const auto offset = header.big<std::uint64_t>(8); offset != 0)
    header.fail("backing_file_offset {}, expected 0: it has a backing file: {}", offset, kFlatten);
  const auto cluster_bits = header.big<std::uint32_t>(20);
  if (cluster_bits < 9 || cluster_bits > 21)
    header.fail("cluster_bits {}, expected 9 to 21", cluster_bits);
  const std::uint64_t cluster_bytes = std::uint64_t{1} << cluster_bits;
  if (const auto method = header.big<std::uint32_t>(32); method != 0)
    header.fail("crypt_method {}, expected 0: it is encrypted; qemu-img convert makes a decrypted image", method);

  std::size_t header_bytes = kVersion2HeaderBytes;
  unsigned refcount_order = 4;
  if (version == 3) {
    const HeaderReader more(file, what, {0, kVersion3HeaderBytes});
    const auto features = more.big<std::uint64_t>(72);
    if (features & kExternalDataFile)
      more.fail("incompatible_features 0x{:x}: bit 2, an external data file, expected none: {}", features, kFlatten);
    if (features & kCorrupt)
      more.fail("incompatible_features 0x{:x}: bit 1, known to be corrupt; qemu-img check -r all mends what it can",
                features);
    if (features & ~kHarmless)
      more.fail("incompatible_features 0x{:x}, expected none but bits 0, 3 and 4", features);
    refcount_order = more.big<std::uint32_t>(96);
    if (refcount_order > 6)
      more.fail("refcount_order {}, expected 0 to 6", refcount_order);
    header_bytes = more.big<std::uint32_t>(100);
    if (header_bytes < kVersion3HeaderBytes || header_bytes > cluster_bytes)
      more.fail("header_length {}, expected {} to {}, the cluster size", header_bytes, kVersion3HeaderBytes,
                cluster_bytes);
  }
  check_extensions(HeaderReader(file, what, clip({0, cluster_bytes}, file.size_bytes())), header_bytes);
  check_not_cut_off(file, header, cluster_bytes, refcount_order);
}

}  // namespace gptgrow
