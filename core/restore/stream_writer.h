// SPDX-License-Identifier: BSD-3-Clause
// Writes a disk that passes, several chunks at once.
#pragma once

#include "core/restore/checkpoints.h"
#include "core/stream/image_stream.h"

#include <boost/asio/thread_pool.hpp>

#include <condition_variable>
#include <exception>
#include <mutex>

namespace gptgrow {

class StreamWriter : public Sink {
public:
  /// What `map` has is read back, and written again only where it differs: when the image is longer than the target, an earlier
  /// run may have written its backup table over it. `is_new`: the target is a new file, one hole. All must outlive this.
  StreamWriter(DeviceTarget& target, bool is_new, const ProgressMap& map, Checkpoints& checkpoints, Monitor& monitor);
  ~StreamWriter() override;

  std::span<std::byte> buffer() override;
  bool write(ByteRange range, std::span<const std::byte> bytes) override;
  void zero(ByteRange range) override;
  void progress(std::uint64_t input_bytes, std::uint64_t disk_bytes) override;

  Checksums finish() override;

private:
  class Buffers;

  bool is_there(ByteRange range, std::span<const std::byte> bytes) const;
  void put(ByteRange range, std::span<const std::byte> bytes);
  bool is_written(ByteRange range) const { return map_.first_missing(range.offset) >= range.end(); }
  void start(std::function<void()> work);
  void wait_for_fewer_than(std::size_t count);

  DeviceTarget& target_;
  bool is_new_;
  ProgressMap map_;  // as it was: others add to it now
  Checkpoints& checkpoints_;
  Monitor& monitor_;
  std::unique_ptr<Buffers> buffers_;
  std::byte* filled_ = nullptr;  // the buffer that was given out
  std::mutex mutex_;             // of what follows
  std::condition_variable ended_;
  std::size_t under_way_ = 0;
  Checksums checksums_;
  std::exception_ptr error_;
  boost::asio::thread_pool pool_;  // last: it uses the others
};

}  // namespace gptgrow
