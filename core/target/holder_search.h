// SPDX-License-Identifier: BSD-3-Clause
// What find_holders() knows, and how it asks. For that alone.
#pragma once

#include "core/target/block_graph.h"
#include "core/target/holders.h"
#include "core/target/mounts.h"

#include <algorithm>

namespace gptgrow {

/// Not to be used twice.
class HolderSearch {
public:
  HolderSearch(const std::string& path, const struct stat& status, Scope scope)
      : path_(path),
        target_(medium_of(status, path)),
        graph_(devices_in(scope, target_)),
        mounts_(read_mounts()),
        parts_(graph_.made_of(graph_.whole(target_))),
        above_(graph_.above(parts_, [this](const Medium& file) { return backing_of(file, mounts_, graph_).disks; }))
  {
  }

  Holding run()
  {
    if (graph_.devices().empty())
      result_.unseen.push_back("/sys shows no block devices: whether loop devices or others lie on it cannot be seen");
    look_for_mounts_and_swap();
    look_for_devices_above();
    look_for_locks();
    look_for_open_files();
    claim_what_is_below();
    look_for_what_may_be_over();
    std::ranges::sort(result_.unseen);
    result_.unseen.erase(std::unique(result_.unseen.begin(), result_.unseen.end()), result_.unseen.end());
    return std::move(result_);
  }

private:
  /// Without the partitions of the target, nothing leads to what is above them.
  static std::vector<BlockDevice> devices_in(Scope scope, const Medium& target)
  {
    std::vector<BlockDevice> devices = read_block_devices();
    if (scope == Scope::beside_partitions)
      std::erase_if(devices, [&](const BlockDevice& device) { return device.is_partition_of(target); });
    return devices;
  }

  void add(Holder::Kind kind, const std::string& what, const std::string& by)
  {
    const bool is_known = std::ranges::any_of(result_.holders, [&](const Holder& other) {
      return other.kind == kind && other.what == what && other.by == by;
    });
    if (!is_known)
      result_.holders.push_back({kind, what, by});
  }

  std::string name_of(const Medium& medium) const
  {
    if (medium == target_)
      return path_;
    const BlockDevice* device = medium.is_device ? graph_.find(medium.device) : nullptr;
    return device ? device->path() : medium.path;
  }

  template <typename Use>
  void for_each_device(Use use)
  {
    for (const auto* parts : {&parts_, &above_})
      for (const MediumPart& part : *parts)
        if (const BlockDevice* device = part.medium.is_device ? graph_.find(part.medium.device) : nullptr)
          use(*device, part);
  }

  /// Whether `medium` has bytes of the target, or they lie on it.
  bool is_wanted(const Medium& medium) const
  {
    const auto is_it = [&](const MediumPart& part) { return part.medium == medium; };
    return std::ranges::any_of(parts_, is_it) || std::ranges::any_of(above_, is_it);
  }

  void look_for_mounts_and_swap();
  void look_for_hidden_file_system(const BlockDevice& device);
  void look_for_devices_above();
  void look_for_locks();
  void look_for_open_files();
  void claim_what_is_below();
  void look_for_what_may_be_over();
  bool may_be_one_file(const Medium& a, const Medium& b) const;
  std::uint64_t size_of(const Medium& medium) const;
  bool is_disk_of_another(const Medium& medium) const;

  const std::string& path_;
  const Medium target_;
  const BlockGraph graph_;
  const Mounts mounts_;
  const std::vector<MediumPart> parts_;
  const std::vector<MediumPart> above_;
  Holding result_;
};

}  // namespace gptgrow
