// SPDX-License-Identifier: BSD-3-Clause
#include "core/restore/restore.h"

#include "core/error.h"
#include "core/restore/filling.h"
#include "core/restore/image_state.h"
#include "core/restore/unfinished_mark.h"
#include "core/size.h"
#include "core/target/durable_file.h"
#include "core/target/medium.h"
#include "core/target/relation.h"
#include "core/target/taken_space.h"

#include <boost/uuid/random_generator.hpp>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include <sys/stat.h>
#include <unistd.h>

namespace gptgrow {

namespace {

// MBR, header and array, or array and header, of the usual length in sectors of 4096 bytes. Those of 512 take less.
constexpr std::uint64_t kHeadBytes = 6 * 4096;
constexpr std::uint64_t kTailBytes = 5 * 4096;

RestoreIdentity identity_of(const Disk& disk, const Gpt& gpt, FreeSpace free_space)
{
  std::vector<std::byte> table;
  for (const Structure* structure : gpt.all())
    table.insert(table.end(), structure->bytes.begin(), structure->bytes.end());
  return {to_string(boost::uuids::random_generator()()), image_identity(disk), disk.size_bytes(), crc32(table),
          to_string(free_space)};
}

bool is_same_path(const std::string& a, const std::string& b)
{
  std::error_code ignored;
  return std::filesystem::weakly_canonical(std::filesystem::absolute(a)) ==
             std::filesystem::weakly_canonical(std::filesystem::absolute(b)) ||
         std::filesystem::equivalent(a, b, ignored);
}

/// Whether there is something of that name. What cannot be looked at is not taken for nothing.
bool exists(const std::string& path)
{
  struct stat status;
  if (::stat(path.c_str(), &status) == 0)
    return true;
  if (errno != ENOENT)
    throw std::system_error(errno, std::generic_category(), path);
  return false;
}

void remove_if_possible(const std::string& path) noexcept
try {
  remove_file(path);
} catch (const std::exception&) {
  // What went wrong before is what counts.
}

}  // namespace

Restore::Restore(std::shared_ptr<const Source> image, const RestoreOptions& options)
    : image_(std::move(image)), options_(options)
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
  gpt_ = gpt_of(*disk_);
  image_state_ = content_state(*disk_);
  if (target_)
    look_at_target();
  check_map();
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

void Restore::look_at_target()
{
  const std::uint64_t size_bytes = disk_->size_bytes();
  std::uint32_t sector_size_bytes = disk_->table().sector_size_bytes;
  try {
    const FoundTables tables = find_tables(*target_, std::nullopt);
    if (tables.primary.header.has_signature() || tables.backup)
      sector_size_bytes = tables.sector_size_bytes;
    if (tables.backup)
      old_backup_header_ = clip(bytes_of(tables.backup->at, 1, tables.sector_size_bytes), size_bytes);
  } catch (const Error&) {
    // Too short for a table.
  }
  contents_ = contents_of(*target_, sector_size_bytes);
  const ByteRange free_space = disk_->layout().free_space;
  for (const Signature& signature : contents_.signatures)
    if (signature.range.offset < free_space.end() && free_space.offset < signature.range.end())
      stale_signatures_.push_back(signature);
}

void Restore::check_map()
{
  const RestoreIdentity identity = identity_of(*disk_, gpt_, options_.free_space);
  const std::string& path = options_.map_path;
  if (!path.empty()) {
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
  const auto refuse_map = [&](const std::string& why) {
    refuse("{}: is the map of another restore: {}; name another map, or delete this one to begin anew", path, why);
  };
  const RestoreIdentity& then = map_->identity();
  if (then.size_bytes != identity.size_bytes)
    refuse_map(fmt::format("to a disk of {} bytes, {} has {}", then.size_bytes, options_.target, identity.size_bytes));
  if (then.free_space != identity.free_space)
    refuse_map(fmt::format("with free space {}", then.free_space));
  if (then.image != identity.image || then.table_crc32 != identity.table_crc32)
    refuse_map(
        fmt::format("{} was another image, or has been changed since, or was read with other options", image_->name()));
  if (!target_)
    refuse_map(fmt::format("{} does not exist", options_.target));

  const Structure &header = gpt_.primary_header, &mbr = gpt_.mbr;
  std::vector<std::byte> found(kAtomicBytes), first(kAtomicBytes);
  target_->read(header.offset, found);
  target_->read(mbr.offset, first);
  const auto holds = [](const std::vector<std::byte>& bytes, const Structure& structure) {
    return std::ranges::equal(bytes, std::span(structure.bytes).first(kAtomicBytes));
  };
  const bool is_unfinished = found == unfinished_mark(then.id) && is_zero(first);
  const bool table_is_being_written =
      map_->first_missing(0) == identity.size_bytes && holds(found, header) && (is_zero(first) || holds(first, mbr));
  if (!is_unfinished && !table_is_being_written)
    refuse_map(
        fmt::format("{} does not hold what that one left there, at bytes 0 and {}", options_.target, header.offset));
  resumes_ = true;
  earlier_bytes_ = count_done();
}

std::uint64_t Restore::count_done() const
{
  std::uint64_t bytes = 0;
  for_each_piece(*disk_, [&](const Piece& piece) {
    const bool is_zeroed = piece.is_free_space() && options_.free_space == FreeSpace::zero;
    if (!piece.is_data() && !piece.needs_zeros() && !is_zeroed)
      return;
    bytes += piece.range.size;
    for_each_missing(*map_, piece.range, [&](ByteRange part) { bytes -= part.size; });
  });
  return bytes;
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
    if (target_->is_block_device() || space.take(written_ranges(), monitor.stop))
      return true;
  } catch (...) {
    undo();
    throw;
  }
  undo();
  return false;
}

/// All that needs space in a file: of a hole, what is not whole blocks is written as zeros.
std::vector<ByteRange> Restore::written_ranges() const
{
  const std::uint64_t size_bytes = disk_->size_bytes();
  boost::icl::interval_set<std::uint64_t> written;
  const auto add = [&](std::uint64_t begin, std::uint64_t end) {
    if (begin < end)
      written += boost::icl::interval<std::uint64_t>::right_open(begin, std::min(end, size_bytes));
  };
  add(0, kHeadBytes);
  add(size_bytes - std::min(kTailBytes, size_bytes), size_bytes);
  for (const Signature& signature : stale_signatures_)
    add(signature.range.offset, signature.range.end());
  for_each_piece(*disk_, [&](const Piece& piece) {
    const ByteRange inner = aligned_part(piece.range, kDirectAlignment);
    if (piece.is_data() || is_table(piece.role)) {
      add(piece.range.offset, piece.range.end());
    } else if (!is_new_) {
      add(piece.range.offset, inner.offset);
      add(inner.end(), piece.range.end());
    }
  });
  std::vector<ByteRange> ranges;
  for (const auto& range : written)
    ranges.push_back({range.lower(), range.upper() - range.lower()});
  return ranges;
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
  wipe_tables();
  state_ = State::incomplete;
  // What the kernel shows of the old table is nobody's any more.
  (void)target_->reread_partitions();
  for (const Signature& signature : stale_signatures_)
    target_->write(signature.range.offset, std::vector<std::byte>(signature.range.size));
  target_->flush();
  mark_what_needs_nothing();
  if (!options_.map_path.empty())
    save_map(options_.map_path, *map_);
}

/// The table has its own time; a new file has all holes already.
void Restore::mark_what_needs_nothing()
{
  for_each_piece(*disk_, [&](const Piece& piece) {
    const bool is_kept = piece.is_free_space() && options_.free_space == FreeSpace::keep;
    if (is_table(piece.role) || is_kept || (is_new_ && !piece.is_data()))
      map_->add(piece.range);
  });
}

void Restore::wipe_tables()
{
  const std::uint64_t size_bytes = disk_->size_bytes();
  std::vector<std::byte> head(std::min(kHeadBytes, size_bytes)), tail(std::min(kTailBytes, size_bytes));
  std::ranges::copy(unfinished_mark(map_->identity().id),
                    head.begin() + static_cast<std::ptrdiff_t>(gpt_.primary_header.offset));
  target_->write(size_bytes - tail.size(), tail);
  // It may be anywhere.
  if (old_backup_header_ && old_backup_header_->end() <= size_bytes - tail.size() &&
      old_backup_header_->offset >= head.size())
    target_->write(old_backup_header_->offset, std::vector<std::byte>(old_backup_header_->size));
  target_->write(0, head);
  target_->flush();
}

void Restore::write_tables()
{
  const Gpt& table = gpt_;
  const auto write = [&](const Structure& structure) { target_->write(structure.offset, structure.bytes); };
  write(table.backup_array);
  write(table.backup_header);
  target_->flush();
  write(table.primary_array);
  write(table.primary_header);
  target_->flush();
  write(table.mbr);
  target_->flush();
}

}  // namespace gptgrow
