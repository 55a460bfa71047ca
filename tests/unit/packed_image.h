// SPDX-License-Identifier: BSD-3-Clause
// An image that passes, and what it passes to.
#pragma once

#include "core/stream/image_stream.h"
#include "tests/unit/packed.h"
#include "tests/unit/served_disk.h"
#include "tests/unit/temporary_file.h"

/// A target in memory, and what was done to it.
class Recorder : public gptgrow::Source, public gptgrow::Sink {
public:
  explicit Recorder(std::uint64_t size) : bytes_(size, std::byte{0xa5}) {}

  std::vector<gptgrow::ByteRange> written, zeroed;
  std::uint64_t read_of_file = 0, stop_at = UINT64_MAX;
  std::atomic<bool> stop = false;

  const std::string& name() const override { return name_; }
  std::uint64_t size_bytes() const override { return bytes_.size(); }
  void read(std::uint64_t offset, std::span<std::byte> buffer) const override
  {
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), buffer.size(), buffer.begin());
  }

  std::span<std::byte> buffer() override { return buffer_; }
  bool write(gptgrow::ByteRange range, std::span<const std::byte> bytes) override
  {
    std::ranges::copy(bytes, bytes_.begin() + static_cast<std::ptrdiff_t>(range.offset));
    checksums_.put(range.offset, gptgrow::checksum(bytes));
    written.push_back(range);
    return false;
  }
  void zero(gptgrow::ByteRange range) override
  {
    std::fill_n(bytes_.begin() + static_cast<std::ptrdiff_t>(range.offset), range.size, std::byte{0});
    zeroed.push_back(range);
  }
  void progress(std::uint64_t input_bytes, std::uint64_t disk_bytes) override
  {
    read_of_file = input_bytes;
    stop = disk_bytes >= stop_at;
  }

  gptgrow::Checksums finish() override { return checksums_; }

private:
  gptgrow::Checksums checksums_;
  std::string name_ = "target";
  std::vector<std::byte> bytes_, buffer_ = std::vector<std::byte>(1 << 20);
};

struct Packed {
  explicit Packed(std::vector<std::byte> bytes, gptgrow::Compression compression = gptgrow::Compression::zstd)
      : disk(std::move(bytes))
  {
    const auto content = packed(compression, disk);
    file.write(0, {reinterpret_cast<const char*>(content.data()), content.size()});
    size = content.size();
  }

  std::shared_ptr<gptgrow::StreamedImage> received(Recorder& target, const std::string& sha256 = "") const
  {
    return gptgrow::open_stream(file.path(), {}, sha256)->receive(target, target, target.stop);
  }

  std::vector<std::byte> disk;
  TemporaryFile file;
  std::uint64_t size = 0;
};

/// Two megabytes of which most are zeros.
inline TestDisk mostly_empty()
{
  TestDisk disk = two_partitions();
  disk.sectors = disk.disk_end = 4096;
  return disk;
}
