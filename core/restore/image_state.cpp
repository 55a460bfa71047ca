// SPDX-License-Identifier: BSD-3-Clause
#include "core/restore/image_state.h"

#include "core/target/medium.h"

#include <fmt/format.h>

#include <atomic>
#include <future>

namespace gptgrow {

namespace {

constexpr std::uint64_t kEndBytes = 64 * 1024;
constexpr std::uint64_t kPartitionHeadBytes = 128 * 1024;  // btrfs has its superblock at 64 KiB
constexpr std::uint64_t kBlockBytes = 4096;
constexpr std::uint64_t kBlocks = 256;
constexpr std::size_t kReaders = 7;  // besides the one that asks

/// From a server many at once: it may be far away.
std::vector<std::vector<std::byte>> read_all(const Source& image, const std::vector<ByteRange>& ranges)
{
  std::vector<std::vector<std::byte>> all(ranges.size());
  std::atomic<std::size_t> next = 0;
  const auto read = [&] {
    for (std::size_t i = next++; i < ranges.size(); i = next++)
      all[i] = read_bytes(image, ranges[i]);
  };
  const bool is_file = image.file_range({0, image.size_bytes()}).has_value();
  std::vector<std::future<void>> readers(is_file ? 0 : kReaders);
  for (std::future<void>& reader : readers)
    reader = std::async(std::launch::async, read);
  read();
  for (std::future<void>& reader : readers)
    reader.get();
  return all;
}

std::uint32_t sample_crc32(const Disk& disk)
{
  const Source& image = disk.image();
  const std::uint64_t size_bytes = image.size_bytes();
  std::vector<ByteRange> ranges;
  const auto add = [&](ByteRange range) { ranges.push_back(clip(range, size_bytes)); };
  add({0, kEndBytes});
  add({size_bytes - std::min(size_bytes, kEndBytes), kEndBytes});
  for (const Entry& entry : disk.table().used_entries())
    add(clip({bytes_of(entry, disk.table().sector_size_bytes, disk.size_bytes()).offset, kPartitionHeadBytes},
             bytes_of(entry, disk.table().sector_size_bytes, disk.size_bytes()).end()));
  for (std::uint64_t i = 0; i < kBlocks; ++i)
    add({size_bytes / kBlocks * i / kBlockBytes * kBlockBytes, kBlockBytes});
  std::vector<std::byte> sample;
  for (const std::vector<std::byte>& bytes : read_all(image, ranges))
    sample.insert(sample.end(), bytes.begin(), bytes.end());
  return crc32(sample);
}

}  // namespace

std::string content_state(const Disk& disk)
{
  const std::string version = disk.version();
  return version.empty() ? fmt::format("sample 0x{:08x}", sample_crc32(disk)) : version;
}

std::string image_identity(const Disk& disk, const std::string& state)
{
  return fmt::format("{} bytes, {}, {}", disk.image().size_bytes(), state, identity_of(disk.image()));
}

}  // namespace gptgrow
