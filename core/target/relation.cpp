// SPDX-License-Identifier: BSD-3-Clause
#include "core/target/relation.h"

#include "core/error.h"
#include "core/target/medium.h"
#include "core/target/mounts.h"
#include "core/target/open_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include <sys/stat.h>

namespace gptgrow {

namespace {

bool is_served_device(const Medium& medium, const BlockGraph& graph)
{
  const BlockDevice* device = medium.is_device ? graph.find(medium.device) : nullptr;
  return device && (device->name.starts_with("nbd") || device->name.starts_with("ublkb"));
}

/// Whether what `parts` end in is served by a program, so that nobody can tell what it reads and writes.
bool is_served(const std::vector<MediumPart>& parts, const BlockGraph& graph, const Mounts& mounts)
{
  return std::ranges::any_of(parts, [&](const MediumPart& part) {
    return part.medium.is_device ? is_served_device(part.medium, graph)
                                 : backing_of(part.medium, mounts, graph).kind == Backing::Kind::served;
  });
}

/// One file under two names has one size and one time, whatever file system hands it on.
bool could_be_one_file(const struct stat& a, const struct stat& b)
{
  return S_ISREG(a.st_mode) && S_ISREG(b.st_mode) && a.st_size == b.st_size && a.st_size != 0 &&
         a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

/// Whether an overlay may show one file as both. Its size alone is the same then.
bool may_be_one_through_overlay(const Medium& a, const Medium& b, const Mounts& mounts)
{
  if (a.is_device || b.is_device || !(is_on_overlay(a, mounts) || is_on_overlay(b, mounts)))
    return false;
  const Mount *of_a = mount_of(a, mounts), *of_b = mount_of(b, mounts);
  const bool is_one_mount = of_a && of_b && of_a->device == of_b->device;
  const std::uint64_t size = size_of_file(a.path);
  return !is_one_mount && size != 0 && size == size_of_file(b.path);
}

/// Programs that have bytes of `parts` open, of which something on the other side may be made.
void look_for_servers(const std::string& served, const std::string& path, const std::vector<MediumPart>& parts,
                      bool only_writers, std::vector<std::string>& unseen)
{
  const OpenFiles files = find_open_files([&](const Medium& medium) {
    return std::ranges::any_of(parts, [&](const MediumPart& part) { return part.medium == medium; });
  });
  const auto found =
      std::ranges::find_if(files.all, [&](const OpenFile& file) { return !only_writers || file.can_write; });
  if (found != files.all.end())
    unseen.push_back(
        message("{} is served by a program, and {} has {} open: whether they are the same bytes cannot be seen", served,
                found->process, path));
  else if (!files.has_all_processes)
    unseen.push_back(message("{} is served by a program: whether that makes it of {} cannot be seen", served, path));
}

/// `image` is one file, or part of an image.
Relation relation_of_one(const Source& image, const std::string& target)
{
  const std::optional<struct stat> found = status_of(image);
  if (!found)
    return {};
  const struct stat& image_status = *found;
  const std::string image_path = fmt::format("/proc/self/fd/{}", image.file_range({0, image.size_bytes()})->fd);
  const BlockGraph graph(read_block_devices());
  const Mounts mounts = read_mounts();
  struct stat target_status;
  std::string path = target;
  const bool target_exists = ::stat(target.c_str(), &target_status) == 0;
  if (!target_exists) {
    path = std::filesystem::absolute(target).parent_path();
    if (::stat(path.c_str(), &target_status) == -1)
      return {};
    target_status.st_ino = 0;  // no file's
  }
  const auto parts_of = [&](const struct stat& status, const std::string& name) {
    return graph.made_of(graph.whole(medium_of(status, name)));
  };
  const std::vector<MediumPart> image_parts = parts_of(image_status, image_path);
  const std::vector<MediumPart> target_parts = parts_of(target_status, path);
  if (overlap(image_parts, target_parts))
    return {Relation::Kind::same, {}};
  const DisksBelow disks_below = [&](const Medium& file) { return backing_of(file, mounts, graph).disks; };
  if (overlap(graph.lies_on(image_parts.front(), disks_below), target_parts))
    return {Relation::Kind::image_on_target, {}};
  if (overlap(graph.lies_on(target_parts.front(), disks_below), image_parts))
    return {Relation::Kind::target_on_image, {}};

  Relation relation;
  const bool image_is_served = is_served(graph.lies_on(image_parts.front(), disks_below), graph, mounts);
  const bool target_is_served = is_served(target_parts, graph, mounts);
  if ((image_is_served || target_is_served) && could_be_one_file(image_status, target_status))
    relation.unseen.push_back(
        message("{} and {} have one size and time, and a file system may show one file as two: whether "
                "they are the same file cannot be seen",
                target, image.name()));
  if (target_exists && may_be_one_through_overlay(image_parts.back().medium, target_parts.back().medium, mounts))
    relation.unseen.push_back(
        message("{} and {} have one size, and an overlay may show one file as two: whether they are the same file "
                "cannot be seen",
                target, image.name()));
  for (const MediumPart& part : target_parts)
    if (const BlockDevice* device = part.medium.is_device ? graph.find(part.medium.device) : nullptr;
        device && may_be_over(*device, static_cast<std::uint64_t>(image_status.st_size)))
      relation.unseen.push_back(
          message("what {} is over cannot be seen from here: it may be {}", device->path(), image.name()));
  if (!target_exists)
    return relation;
  if (image_is_served)
    look_for_servers(image.name(), target, target_parts, false, relation.unseen);
  if (target_is_served)
    look_for_servers(target, image.name(), image_parts, true, relation.unseen);
  return relation;
}

}  // namespace

Relation relation_of(const Source& image, const std::string& target)
{
  Relation relation;
  for (const Source* const stored : image.stored_in()) {
    Relation one = relation_of_one(*stored, target);
    if (one.kind != Relation::Kind::none)
      return one;
    relation.unseen.insert(relation.unseen.end(), one.unseen.begin(), one.unseen.end());
  }
  return relation;
}

}  // namespace gptgrow
