// SPDX-License-Identifier: BSD-3-Clause
#include "core/restore/checkpoints.h"

#include <chrono>

namespace gptgrow {

namespace {

constexpr auto kInterval = std::chrono::seconds(5);

}  // namespace

Checkpoints::Checkpoints(DeviceTarget& target, const std::string& path, ProgressMap& map, Monitor& monitor)
    : target_(target), path_(path), map_(map), monitor_(monitor), thread_([this](std::stop_token stop) { run(stop); })
{
}

void Checkpoints::add(ByteRange range)
{
  const std::lock_guard lock(mutex_);
  map_.add(range);
}

void Checkpoints::finish()
{
  thread_.request_stop();
  thread_.join();
  if (error_)
    std::rethrow_exception(error_);
  save();
}

void Checkpoints::run(std::stop_token stop) noexcept
try {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, stop, kInterval, [] { return false; }) && !stop.stop_requested()) {
    lock.unlock();
    save();
    lock.lock();
  }
} catch (...) {
  error_ = std::current_exception();
  monitor_.stop = true;
}

void Checkpoints::save()
{
  const ProgressMap durable = [this] {
    const std::lock_guard lock(mutex_);
    return map_;
  }();
  target_.flush();
  if (!path_.empty())
    save_map(path_, durable);
}

}  // namespace gptgrow
