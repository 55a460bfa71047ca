// SPDX-License-Identifier: BSD-3-Clause
#include "core/target/holders.h"

#include "core/error.h"
#include "core/target/holder_search.h"

#include <chrono>
#include <thread>

namespace gptgrow {

namespace {

/// udev, blkid and losetup open a device for no longer than that.
constexpr auto kMoment = std::chrono::seconds(1);

}  // namespace

std::string to_string(const Holder& holder)
{
  switch (holder.kind) {
  case Holder::Kind::mount: return message("{} is mounted on {}", holder.what, holder.by);
  case Holder::Kind::file_system:
    return message("{} holds a file system ({}) that is in use, mounted where it cannot be seen", holder.what,
                   holder.by);
  case Holder::Kind::swap: return holder.what + " is swap space";
  case Holder::Kind::member: return message("{} is a part of {}", holder.what, holder.by);
  case Holder::Kind::loop: return message("{} is in use by {}", holder.what, holder.by);
  case Holder::Kind::lock:
    return message("{} is locked by {}", holder.what, holder.by.empty() ? "another program" : holder.by);
  case Holder::Kind::exclusive: break;
  }
  return holder.what + " is in use by another program";
}

Holding find_holders(const std::string& path, const struct stat& status, Scope scope)
{
  const auto deadline = std::chrono::steady_clock::now() + kMoment;
  Holding holding = HolderSearch(path, status, scope).run();
  while (holding.may_pass && std::chrono::steady_clock::now() < deadline) {
    holding.claims.clear();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    holding = HolderSearch(path, status, scope).run();
  }
  return holding;
}

}  // namespace gptgrow
