// SPDX-License-Identifier: BSD-3-Clause
// What an NBD server exports, as a source.
#pragma once

#include "core/nbd/pool.h"
#include "core/source/source.h"

namespace gptgrow::nbd {

/// Reads over several connections where the server allows that. One that is lost is made anew, a few times within seconds, and
/// must then lead to what it led to before; where that does not help, read() throws EIO.
class NbdSource : public Source {
public:
  /// Connects. Throws Error where that fails.
  explicit NbdSource(std::unique_ptr<Server> server) : pool_(std::make_unique<Pool>(std::move(server))) {}

  const std::string& name() const override { return pool_->name(); }
  std::uint64_t size_bytes() const override { return pool_->exported().size_bytes; }
  void read(std::uint64_t offset, std::span<std::byte> buffer) const override;

  /// As base:allocation tells it; what makes no sense is data.
  Extent extent(ByteRange range) const override;

  void before_fork() const override { pool_->close(); }
  void after_fork() const override { pool_->connect_again(); }
  void stop_waiting_when(const std::atomic<bool>* stop) const override { pool_->stop_waiting_when(stop); }

private:
  std::vector<Run> ask_for_runs(ByteRange range) const;
  void learn_runs(std::uint64_t offset) const;

  std::unique_ptr<Pool> pool_;

  /// Up to where, from the end of the one before.
  struct Known {
    std::uint64_t end = 0;
    bool reads_as_zeros = false;
  };
  mutable std::mutex known_mutex_;  // of these: what was learnt last
  mutable std::uint64_t known_from_ = 0;
  mutable std::vector<Known> known_;
};

}  // namespace gptgrow::nbd
