// SPDX-License-Identifier: BSD-3-Clause
#include "core/restore/restore.h"

#include "core/disk/size.h"
#include "core/error.h"
#include "core/restore/filling.h"
#include "core/restore/image_state.h"
#include "core/restore/resuming.h"
#include "core/restore/stream_writer.h"
#include "core/restore/unfinished_mark.h"
#include "core/target/durable_file.h"
#include "core/target/medium.h"
#include "core/target/relation.h"
#include "core/target/taken_space.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include <unistd.h>

namespace gptgrow {

Restore::Restore(std::shared_ptr<const Source> image, const RestoreOptions& options)
    : Restore(std::move(image), nullptr, options)
{
}

Restore::Restore(std::shared_ptr<ImageStream> stream, const RestoreOptions& options)
    : Restore(stream->head(), stream, options)
{
}

Restore::Restore(std::shared_ptr<const Source> image, std::shared_ptr<ImageStream> stream,
                 const RestoreOptions& options)
    : image_(std::move(image)), stream_(std::move(stream)), options_(options)
{
  if (exists(options_.target)) {
    target_.emplace(options_.target);
    unseen_ = target_->unseen_holders();
  }
  check_relation();
  if (!target_ && !options_.size)
    refuse_with({"size", "SIZE", "would make a file"}, "{}: no such file or device", options_.target);
  check_target();
  // The target's sector size counts too.
  disk_.emplace(image_, target_ ? size_of(*target_) : *options_.size, options_.reading);
  check_sector_size();
  image_state_ = content_state(*disk_);
  before_ = look_at_target();
  plan_ = plan_restore(*disk_, before_, options_.free_space);
  open_map();
}

void Restore::check_relation()
{
  const std::string &target = options_.target, &image = image_->name();
  const Relation relation = relation_of(*image_, target);
  switch (relation.kind) {
  case Relation::Kind::none: break;
  case Relation::Kind::same: refuse("{}: is the image itself, {}, or a part of it", target, image);
  case Relation::Kind::image_on_target: refuse("{}: the image, {}, lies on it: it would be overwritten", target, image);
  case Relation::Kind::target_on_image:
    refuse("{}: lies on the image, {}: that would change while it is read", target, image);
  }
  unseen_.insert(unseen_.end(), relation.unseen.begin(), relation.unseen.end());
}

void Restore::check_target()
{
  if (target_ && options_.size && options_.size->bytes != target_->size_bytes())
    refuse("{}: {}, not the size asked for, {}: what exists keeps its size; ask for none, or name a "
           "new file",
           options_.target, format_size(target_->size_bytes()), format_size(options_.size->bytes));
}

void Restore::check_sector_size()
{
  if (!target_)
    return;
  const std::uint32_t found = target_->device_sector_size_bytes();
  const std::uint32_t expected = disk_->table().sector_size_bytes;
  if (found != 0 && found != expected && !options_.reading.sector_size_bytes)
    refuse_with({"sector-size", fmt::format("{}", expected), "restores all the same"},
                "{}: sectors of {} bytes, expected {} as in the table of {}: its partitions would not be seen there",
                options_.target, found, expected, image_->name());
}

TargetBefore Restore::look_at_target()
{
  if (!target_)
    return {};
  TargetBefore before{.exists = true, .headers = {}, .signatures = {}};
  std::uint32_t sector_size_bytes = disk_->table().sector_size_bytes;
  try {
    const FoundTables tables = find_tables(*target_, std::nullopt);
    if (tables.primary.header.has_signature() || tables.backup)
      sector_size_bytes = tables.sector_size_bytes;
    before.headers = header_places(tables);
  } catch (const Error&) {
    // Too short for a table.
  }
  contents_ = contents_of(*target_, sector_size_bytes);
  before.signatures = contents_.signatures;
  return before;
}

void Restore::open_map()
{
  const RestoreIdentity identity = identity_of(*disk_, image_state_, plan_.gpt, options_.free_space);
  const std::string& path = options_.map_path;
  if (!path.empty()) {
    if (stream_ && !stream_->input().file())
      refuse(
          "map {}: {} cannot be read again: a restore from it cannot go on where it ended; leave the map out, or name "
          "a file",
          path, image_->name());
    for (const std::string& other : {options_.target, image_->name()})
      if (is_same_path(path, other))
        refuse("map {}: is {} itself; name another file", path, other);
    map_ = load_map(path);
    // Cut off before anything was written, or anything kept: there is nothing to go on from.
    if (map_ && map_->is_empty())
      map_.reset();
  }
  if (!map_) {
    map_.emplace(identity);
    if (!path.empty() && ::access(std::filesystem::absolute(path).parent_path().c_str(), W_OK) != 0)
      throw std::system_error(errno, std::generic_category(), path);
    return;
  }
  check_resumable(*map_, path, identity, plan_.gpt, target_ ? &*target_ : nullptr, options_.target, image_->name());
  resumes_ = true;
  earlier_bytes_ = bytes_done(*map_, *disk_, options_.free_space);
}

void Restore::check_image_unchanged() const
{
  if (const std::string now = content_state(*disk_); now != image_state_)
    refuse(
        "{}: was changed while it was copied (before: {}; now: {}): what was copied is a mixture; nothing may write to "
        "an image that is restored",
        disk_->image().name(), image_state_, now);
}

bool Restore::run(Monitor& monitor)
{
  const std::shared_ptr<const Source> image = image_;
  const StopsWaiting stops(*image, monitor);
  if (!target_) {
    target_.emplace(options_.target, disk_->size_bytes(), mode_of_copy(disk_->image()));
    is_new_ = true;
  }
  if (!resumes_) {
    if (!prepare(monitor))
      return false;
    state_ = State::wiping;
    wipe();
  }
  state_ = State::incomplete;
  if (stream_ && !receive(monitor))
    return false;
  Filling filling(*disk_, *target_, options_.free_space, options_.map_path, *map_, monitor);
  if (!filling.run())
    return false;
  free_space_left_ = filling.free_space_left();
  check_image_unchanged();
  state_ = State::writing_table;
  monitor.begin(Monitor::Phase::writing_table, 0);
  write_tables();
  state_ = State::complete;
  remove_map();
  return true;
}

/// What may want for space comes before anything is lost; what was made or taken in vain goes away again.
bool Restore::prepare(const Monitor& monitor)
{
  TakenSpace space(*target_);
  const auto undo = [&] {
    space.give_back();
    if (is_new_)
      remove_if_possible(options_.target);
    if (!options_.map_path.empty())
      remove_if_possible(options_.map_path);
  };
  try {
    if (!options_.map_path.empty())
      // Twice: the second time there is room for the old one beside the new one.
      for (int i = 0; i < 2; ++i)
        save_map(options_.map_path, *map_);
    if (target_->is_block_device() || space.take(plan_.needs_space, monitor.stop))
      return true;
  } catch (...) {
    undo();
    throw;
  }
  undo();
  return false;
}

/// The data, and then a plan of which nothing is a guess.
bool Restore::receive(Monitor& monitor)
{
  const auto file = stream_->input().file();
  monitor.begin(Monitor::Phase::copying, file ? file->size_bytes() : 0);
  Checkpoints checkpoints(*target_, options_.map_path, *map_, monitor);
  StreamWriter writer(*target_, is_new_, *map_, checkpoints, monitor);
  streamed_ = stream_->receive(*target_, writer, monitor.stop);
  checkpoints.finish();
  if (!streamed_)
    return false;
  const std::vector<std::string> guessed = disk_->warnings();
  image_ = streamed_;
  try {
    disk_.emplace(image_, size_of(*target_), options_.reading);
  } catch (const Error&) {
    is_image_refused_ = true;
    throw;
  }
  for (const std::string& warning : disk_->warnings())
    if (std::ranges::find(guessed, warning) == guessed.end())
      notes_.push_back(warning);
  streamed_->settle_checksums(*disk_, StreamedImage::WhenChanged::refuse);
  plan_ = plan_restore(*disk_, before_, options_.free_space);
  for (const ByteRange& range : plan_.not_filled)
    map_->add(range);
  // Its data came before anything told what they are.
  for_each_piece(*disk_, [&](const Piece& piece) {
    if (is_old_backup(piece.role))
      map_->remove(piece.range);
  });
  return true;
}

/// The disk is complete, whatever becomes of its map.
void Restore::remove_map()
{
  if (options_.map_path.empty())
    return;
  try {
    remove_file(options_.map_path);
  } catch (const std::system_error& e) {
    notes_.push_back(fmt::format("the map of the complete restore could not be removed: {}", e.what()));
  }
}

void Restore::wipe()
{
  for (const auto& step : plan_.wipe_steps)
    make_zeros(step);
  state_ = State::incomplete;
  // What the kernel shows of the old table is nobody's any more.
  (void)target_->reread_partitions();
  for (const Signature& signature : plan_.stale_signatures)
    target_->write(signature.range.offset, std::vector<std::byte>(signature.range.size));
  target_->flush();
  if (!stream_)
    for (const ByteRange& range : plan_.not_filled)
      map_->add(range);
  if (!options_.map_path.empty())
    save_map(options_.map_path, *map_);
}

void Restore::withdraw_table()
{
  state_ = State::wiping;
  make_zeros({plan_.gpt.primary_header.range(), plan_.gpt.backup_header.range()});
  state_ = State::incomplete;
}

void Restore::make_zeros(const std::vector<ByteRange>& ranges)
{
  const std::vector<std::byte> mark = unfinished_mark(map_->identity().id);
  const ByteRange place{plan_.gpt.primary_header.offset, mark.size()};
  for (const ByteRange& range : ranges) {
    std::vector<std::byte> bytes(range.size);
    if (range.offset <= place.offset && place.end() <= range.end())
      std::ranges::copy(mark, bytes.begin() + static_cast<std::ptrdiff_t>(place.offset - range.offset));
    target_->write(range.offset, bytes);
  }
  target_->flush();
}

void Restore::write_tables()
{
  for (const auto& step : plan_.table_steps()) {
    for (const Structure* structure : step)
      target_->write(structure->offset, structure->bytes);
    target_->flush();
  }
}

}  // namespace gptgrow
