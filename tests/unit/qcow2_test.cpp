// SPDX-License-Identifier: BSD-3-Clause
// Each file has six clusters of 512 bytes: header, refcount table, refcount block, L1 table, L2 table, data.
#include "core/format/format.h"
#include "tests/unit/header_bytes.h"

using namespace gptgrow;

namespace {

constexpr std::size_t kCluster = 512, kClusters = 6, kBlock = 2 * kCluster, kL1 = 3 * kCluster, kL2 = 4 * kCluster;
constexpr std::uint64_t kIsCompressed = std::uint64_t{1} << 62;

Bytes qcow2(std::uint32_t version = 3)
{
  Bytes file(kClusters * kCluster);
  put_text(file, 0, "QFI\xfb");
  put_big<std::uint32_t>(file, 4, version);
  put_big<std::uint32_t>(file, 20, 9);
  put_big<std::uint32_t>(file, 36, 1);
  put_big<std::uint64_t>(file, 40, kL1);
  put_big<std::uint64_t>(file, 48, kCluster);
  put_big<std::uint32_t>(file, 56, 1);
  if (version == 3) {
    put_big<std::uint32_t>(file, 96, 4);
    put_big<std::uint32_t>(file, 100, 104);
  }
  put_big<std::uint64_t>(file, kCluster, kBlock);
  for (std::size_t i = 0; i < kClusters; ++i)
    put_big<std::uint16_t>(file, kBlock + 2 * i, 1);
  put_big<std::uint64_t>(file, kL1, kL2);
  put_big<std::uint64_t>(file, kL2, 5 * kCluster);
  return file;
}

template <typename T>
std::string qcow2_with(std::size_t at, T value, Bytes file = qcow2())
{
  put_big<T>(file, at, value);
  return said(check_qcow2, std::move(file));
}

/// Marks clusters as used in a block of refcounts of 1 << `order` bits.
void put_refcounts(Bytes& file, unsigned order, std::size_t clusters)
{
  std::fill_n(file.begin() + kBlock, kCluster, std::byte{0});
  for (std::size_t i = 0; i < clusters; ++i)
    if (order < 3)
      file[kBlock + (i << order) / 8] |= std::byte{1} << ((i << order) % 8);
    else
      file[kBlock + ((i + 1) << (order - 3)) - 1] = std::byte{1};
}

}  // namespace

TEST_CASE("A whole qcow2 of either version is taken, and none that is cut off anywhere")
{
  const std::uint32_t version = GENERATE(2U, 3U);
  CHECK(said(check_qcow2, qcow2(version)) == kTaken);
  check_refused_when_cut(check_qcow2, qcow2(version), 3);
}

TEST_CASE("A field of a qcow2 header is taken up to its limits, and what is beyond is named")
{
  CHECK_THAT(qcow2_with<std::uint32_t>(0, 0),
             ContainsSubstring("image: qcow2 header: magic 0x00000000, expected 0x514649fb"));
  for (const std::uint32_t version : {0U, 1U, 4U})
    CHECK_THAT(qcow2_with(4, version), ContainsSubstring(fmt::format("version {}, expected 2 or 3", version)));
  CHECK_THAT(qcow2_with<std::uint64_t>(8, 1), ContainsSubstring("backing_file_offset 1, expected 0"));
  for (const std::uint32_t bits : {0U, 8U, 22U, UINT32_MAX})
    CHECK_THAT(qcow2_with(20, bits), ContainsSubstring(fmt::format("cluster_bits {}, expected 9 to 21", bits)));
  for (const std::uint32_t bits : {10U, 21U})
    CHECK_THAT(qcow2_with(20, bits), !ContainsSubstring("cluster_bits"));
  CHECK_THAT(qcow2_with<std::uint32_t>(32, 1), ContainsSubstring("crypt_method 1, expected 0"));
  CHECK_THAT(qcow2_with<std::uint32_t>(96, 7), ContainsSubstring("refcount_order 7, expected 0 to 6"));
  for (const std::uint32_t length : {0U, 103U, 513U})
    CHECK_THAT(qcow2_with(100, length),
               ContainsSubstring(fmt::format("header_length {}, expected 104 to 512", length)));
  CHECK(qcow2_with<std::uint32_t>(100, 512) == kTaken);
  for (const std::uint32_t clusters : {0U, 16385U, UINT32_MAX})
    CHECK_THAT(qcow2_with(56, clusters),
               ContainsSubstring(fmt::format("refcount_table_clusters {}, expected 1 to 16384", clusters)));
  CHECK_THAT(qcow2_with<std::uint32_t>(56, 16384), ContainsSubstring("qcow2 refcount table: bytes 512 to 8389119"));
}

TEST_CASE("Of the incompatible features of a qcow2 those that change no byte of the disk are taken")
{
  for (unsigned bit = 0; bit < 64; ++bit) {
    CAPTURE(bit);
    const std::string answer = qcow2_with(72, std::uint64_t{1} << bit);
    if (bit == 0 || bit == 3 || bit == 4)
      CHECK(answer == kTaken);
    else if (bit == 1 || bit == 2)
      CHECK_THAT(answer, ContainsSubstring(bit == 1 ? "known to be corrupt" : "an external data file"));
    else
      CHECK_THAT(answer, ContainsSubstring("expected none but bits 0, 3 and 4"));
  }
}

TEST_CASE("Header extensions are looked at up to the one that ends them, or to the end of the first cluster")
{
  constexpr std::uint64_t kUnknown = 0x12345678, kDataFile = 0x44415441, kEncryption = 0x0537be77;
  const auto extensions = [](std::uint64_t first, std::uint32_t length, std::uint64_t second = 0) {
    Bytes file = qcow2();
    put_big<std::uint64_t>(file, 104, first << 32 | length);
    if (112 + std::size_t{length} + 7 < kCluster - 8)
      put_big<std::uint64_t>(file, 112 + (length + 7) / 8 * 8, second << 32 | 4);
    return said(check_qcow2, std::move(file));
  };
  CHECK(extensions(kUnknown, 5) == kTaken);
  CHECK(extensions(kUnknown, 400) == kTaken);
  CHECK_THAT(extensions(kUnknown, 401), ContainsSubstring("header extension 0x12345678 at byte 104: length 401"));
  CHECK_THAT(extensions(kUnknown, UINT32_MAX), ContainsSubstring("length 4294967295"));
  CHECK_THAT(extensions(kDataFile, 4), ContainsSubstring("external data file"));
  for (const std::uint32_t length : {0U, 1U, 5U, 8U, 200U}) {
    CHECK_THAT(extensions(kUnknown, length, kEncryption), ContainsSubstring("0x0537be77: encrypted"));
    CHECK(extensions(0, length, kEncryption) == kTaken);
  }
}

TEST_CASE("The last cluster that is in use is known, whatever the size of a refcount")
{
  const unsigned order = GENERATE(0U, 1U, 2U, 3U, 4U, 5U, 6U);
  CAPTURE(order);
  Bytes file = qcow2();
  put_big<std::uint32_t>(file, 96, order);
  put_refcounts(file, order, kClusters);
  CHECK(said(check_qcow2, file) == kTaken);
  put_refcounts(file, order, kClusters + 1);
  CHECK_THAT(
      said(check_qcow2, file),
      ContainsSubstring("cluster 6 of 512 bytes is in use, expected inside the file of 3072 bytes: it is cut off"));
  put_refcounts(file, order, 0);
  CHECK_THAT(said(check_qcow2, file), ContainsSubstring("no cluster is in use"));
  for (std::size_t i = 0; i < kCluster; i += 8)
    put_big<std::uint64_t>(file, kCluster + i, kBlock);
  CHECK_THAT(said(check_qcow2, file), ContainsSubstring("more refcount blocks than the file of 3072 bytes can hold"));
}

TEST_CASE("Only compressed data may fill the last cluster of a qcow2 in part, and has to be whole")
{
  // Of clusters of 512 bytes an offset takes 61 bits.
  const auto packed = [](std::uint64_t offset, std::uint64_t sectors, std::uint64_t size_bytes, std::size_t at = 0,
                         bool has_extended_l2 = false) {
    Bytes file = qcow2();
    put_big<std::uint64_t>(file, 72, has_extended_l2 ? 16 : 0);
    put_big<std::uint64_t>(file, kL2 + at, kIsCompressed | sectors << 61 | offset);
    file.resize(size_bytes);
    return said(check_qcow2, std::move(file));
  };
  const auto is_cut_off = ContainsSubstring("cluster 5 of 512 bytes is in use, expected wholly inside the file of");
  CHECK(packed(2048, 1, 3072) == kTaken);
  CHECK_THAT(packed(2048, 1, 3071), is_cut_off);
  CHECK_THAT(packed(2048, 0, 3071), is_cut_off);
  CHECK_THAT(packed(2560, 0, 3071), is_cut_off);
  // With clusters of 4096 bytes there are several sectors in one.
  Bytes file(6 * 4096 - 1024);
  const Bytes small = qcow2();
  std::copy_n(small.begin(), 512, file.begin());
  put_big<std::uint32_t>(file, 20, 12);
  put_big<std::uint64_t>(file, 40, 3 * 4096);
  put_big<std::uint64_t>(file, 48, 4096);
  put_big<std::uint64_t>(file, 4096, 2 * 4096);
  for (std::size_t i = 0; i < 6; ++i)
    put_big<std::uint16_t>(file, 2 * 4096 + 2 * i, 1);
  put_big<std::uint64_t>(file, 3 * 4096, 4 * 4096);
  const auto entry = [&](std::size_t at, std::uint64_t sectors, std::uint64_t features = 0) {
    Bytes changed = file;
    put_big<std::uint64_t>(changed, 72, features);
    put_big<std::uint64_t>(changed, 4 * 4096 + at, kIsCompressed | sectors << 58 | (5 * 4096 + 100));
    return said(check_qcow2, std::move(changed));
  };
  CHECK_THAT(said(check_qcow2, file), ContainsSubstring("it is cut off"));
  CHECK(entry(0, 0) == kTaken);
  CHECK(entry(4088, 5) == kTaken);
  CHECK_THAT(entry(0, 6), ContainsSubstring("it is cut off"));
  // Entries of 16 bytes: what is between two of them is no entry.
  CHECK(entry(16, 0, 16) == kTaken);
  CHECK_THAT(entry(8, 0, 16), ContainsSubstring("it is cut off"));
  // What the L1 table lacks is passed over.
  Bytes second = file;
  put_big<std::uint32_t>(second, 36, 2);
  put_big<std::uint64_t>(second, 3 * 4096, 0);
  put_big<std::uint64_t>(second, 3 * 4096 + 8, 4 * 4096);
  put_big<std::uint64_t>(second, 4 * 4096, kIsCompressed | (5 * 4096 + 100));
  CHECK(said(check_qcow2, second) == kTaken);
  // Of an L1 table that says too much nothing is read.
  put_big<std::uint32_t>(file, 36, (32 << 20) / 8 + 1);
  CHECK_THAT(entry(0, 0), ContainsSubstring("l1_size 4194305, expected at most 4194304"));
  put_big<std::uint32_t>(file, 36, 8);
  for (std::size_t i = 0; i < 8; ++i)
    put_big<std::uint64_t>(file, 3 * 4096 + 8 * i, 4 * 4096);
  CHECK_THAT(entry(0, 0), ContainsSubstring("more L2 tables than the file of 23552 bytes can hold"));
}
