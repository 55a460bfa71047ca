// SPDX-License-Identifier: BSD-3-Clause
// What an NBD server exports, as a source.
#pragma once

#include "core/nbd/server.h"
#include "core/source/source.h"

namespace gptgrow::nbd {

/// Reads over several connections where the server allows that. One that is lost is made anew, a few times within seconds, and
/// must then lead to what it led to before; where that does not help, read() throws EIO.
class NbdSource : public Source {
public:
  /// Connects. Throws Error where that fails.
  explicit NbdSource(std::unique_ptr<Server> server);
  ~NbdSource() override;

  const std::string& name() const override { return server_->name(); }
  std::uint64_t size_bytes() const override { return export_.size_bytes; }
  void read(std::uint64_t offset, std::span<std::byte> buffer) const override;

  /// As base:allocation tells it; what makes no sense is data.
  Extent extent(ByteRange range) const override;

  void before_fork() const override;
  void after_fork() const override;
  void stop_waiting_when(const std::atomic<bool>* stop) const override { stop_ = stop; }

private:
  using Connections = std::vector<std::shared_ptr<Connection>>;
  class OneRead;

  Connections connect() const;
  std::vector<std::byte> beginning_by(Connection& connection) const;
  void check_is_same(Connection& connection) const;
  void reconnect() const;
  std::shared_ptr<Connection> pick() const;
  void drop_with(const std::shared_ptr<Connection>& lost) const;
  std::vector<Run> ask_for_runs(ByteRange range) const;
  void learn_runs(std::uint64_t offset) const;
  void close() const;
  void pause(std::chrono::milliseconds time) const;
  [[noreturn]] void fail(const std::string& what) const;

  std::unique_ptr<Server> server_;
  Export export_;
  std::vector<std::byte> beginning_;
  mutable std::atomic<const std::atomic<bool>*> stop_ = nullptr;

  mutable std::mutex mutex_;  // of these
  mutable Connections connections_;
  mutable std::size_t next_ = 0;
  mutable bool has_failed_ = false;
  mutable std::exception_ptr failure_;
  mutable std::atomic<unsigned> attempts_ = 0;

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
