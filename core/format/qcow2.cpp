// SPDX-License-Identifier: BSD-3-Clause
// qcow2, versions 2 and 3: QEMU's docs/interop/qcow2.txt, whose names the fields have. Numbers are big-endian.
#include "core/format/format.h"
#include "core/format/header_reader.h"

#include <algorithm>
#include <bit>

namespace gptgrow {

namespace {

constexpr std::uint32_t kVersion2HeaderBytes = 72, kVersion3HeaderBytes = 104;

// Incompatible features.
constexpr std::uint64_t kCorrupt = 1 << 1, kExternalDataFile = 1 << 2;
constexpr std::uint64_t kExtendedL2 = 1 << 4;
constexpr std::uint64_t kHarmless = 1 << 0 | 1 << 3 | kExtendedL2;  // dirty (of refcounts alone), compression type

// Header extensions.
constexpr std::uint32_t kEndOfExtensions = 0, kDataFileName = 0x44415441, kEncryptionHeader = 0x0537be77;

constexpr std::uint64_t kMaxRefcountTableBytes = 8 << 20, kMaxL1Bytes = 32 << 20;  // QEMU's limits

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

/// Where the last compressed cluster ends, says the descriptor of each; 0: none is.
std::uint64_t end_of_compressed(const Source& file, const HeaderReader& header, std::uint64_t cluster_bytes,
                                bool has_extended_l2)
{
  constexpr std::uint64_t kOffset = 0x00fffffffffffe00, kCompressed = std::uint64_t{1} << 62;
  const std::uint64_t l1_bytes = header.big<std::uint32_t>(36) * std::uint64_t{8};
  if (l1_bytes > kMaxL1Bytes)
    header.fail("l1_size {}, expected at most {}", l1_bytes / 8, kMaxL1Bytes / 8);
  // Of a compressed cluster: the offset takes the low bits, the number of further sectors the ones above.
  const unsigned offset_bits = 62 - (static_cast<unsigned>(std::countr_zero(cluster_bytes)) - 8);
  const HeaderReader l1(file, "qcow2 L1 table", {header.big<std::uint64_t>(40), l1_bytes});
  std::uint64_t end = 0, read_bytes = 0;
  for (std::uint64_t i = 0; i < l1_bytes; i += 8) {
    const std::uint64_t l2_offset = l1.big<std::uint64_t>(i) & kOffset;
    if (l2_offset == 0)
      continue;
    if ((read_bytes += cluster_bytes) > file.size_bytes())
      l1.fail("more L2 tables than the file of {} bytes can hold", file.size_bytes());
    const HeaderReader l2(file, "qcow2 L2 table", {l2_offset, cluster_bytes});
    for (std::uint64_t at = 0; at < cluster_bytes; at += has_extended_l2 ? 16 : 8) {
      const auto entry = l2.big<std::uint64_t>(at);
      if (!(entry & kCompressed))
        continue;
      const std::uint64_t offset = entry & ((std::uint64_t{1} << offset_bits) - 1);
      const std::uint64_t sectors = (entry & (kCompressed - 1)) >> offset_bits;
      end = std::max(end, (offset & ~std::uint64_t{511}) + (sectors + 1) * 512);
    }
  }
  return end;
}

/// Where QEMU finds the end of a file it reads zeros. The last cluster that is in use has to lie inside it; only one of
/// compressed data may be there in part.
void check_not_cut_off(const Source& file, const HeaderReader& header, std::uint64_t cluster_bytes,
                       unsigned refcount_order, bool has_extended_l2)
{
  const auto table_offset = header.big<std::uint64_t>(48);
  const std::uint64_t table_bytes = header.big<std::uint32_t>(56) * cluster_bytes;
  if (table_bytes == 0 || table_bytes > kMaxRefcountTableBytes)
    header.fail("refcount_table_clusters {}, expected 1 to {}", header.big<std::uint32_t>(56),
                kMaxRefcountTableBytes / cluster_bytes);
  const HeaderReader table(file, "qcow2 refcount table", {table_offset, table_bytes});
  const std::uint64_t refcounts_per_block = (cluster_bytes * 8) >> refcount_order;
  std::uint64_t read_bytes = 0;
  for (std::size_t i = table.size() / 8; i-- > 0;) {
    const std::uint64_t block_offset = table.big<std::uint64_t>(8 * i) & ~std::uint64_t{511};
    if (block_offset == 0)
      continue;
    if ((read_bytes += cluster_bytes) > file.size_bytes())
      table.fail("more refcount blocks than the file of {} bytes can hold", file.size_bytes());
    const HeaderReader block(file, "qcow2 refcount block", {block_offset, cluster_bytes});
    if (block.is_zero(0, block.size()))
      continue;
    std::size_t used = block.size();
    while (block.is_zero(used - 1, 1))
      --used;
    // Of less than a byte, the first one is in the low bits.
    const auto width = static_cast<std::size_t>(std::bit_width(std::to_integer<unsigned>(block.bytes(used - 1, 1)[0])));
    const std::uint64_t last = i * refcounts_per_block + (((used - 1) * 8 + width - 1) >> refcount_order);
    if (last > file.size_bytes() / cluster_bytes || last * cluster_bytes >= file.size_bytes())
      table.fail("cluster {} of {} bytes is in use, expected inside the file of {} bytes: it is cut off", last,
                 cluster_bytes, file.size_bytes());
    if ((last + 1) * cluster_bytes > file.size_bytes()) {
      const std::uint64_t end = end_of_compressed(file, header, cluster_bytes, has_extended_l2);
      if (end <= last * cluster_bytes || end > file.size_bytes())
        table.fail("cluster {} of {} bytes is in use, expected wholly inside the file of {} bytes: it is cut off", last,
                   cluster_bytes, file.size_bytes());
    }
    return;
  }
  table.fail("no cluster is in use, expected the header's at least: it is damaged");
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
  bool has_extended_l2 = false;
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
    has_extended_l2 = (features & kExtendedL2) != 0;
    refcount_order = more.big<std::uint32_t>(96);
    if (refcount_order > 6)
      more.fail("refcount_order {}, expected 0 to 6", refcount_order);
    header_bytes = more.big<std::uint32_t>(100);
    if (header_bytes < kVersion3HeaderBytes || header_bytes > cluster_bytes)
      more.fail("header_length {}, expected {} to {}, the cluster size", header_bytes, kVersion3HeaderBytes,
                cluster_bytes);
  }
  check_extensions(HeaderReader(file, what, clip({0, cluster_bytes}, file.size_bytes())), header_bytes);
  check_not_cut_off(file, header, cluster_bytes, refcount_order, has_extended_l2);
}

}  // namespace gptgrow
