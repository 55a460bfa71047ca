// SPDX-License-Identifier: BSD-3-Clause
#include "core/restore/restore.h"

#include "core/error.h"
#include "core/size.h"
#include "core/target/medium.h"

#include <boost/uuid/random_generator.hpp>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <filesystem>
#include <mutex>
#include <system_error>
#include <thread>

#include <sys/stat.h>
#include <unistd.h>

namespace gptgrow {

namespace {

using Clock = std::chrono::steady_clock;

// MBR, header and array, or array and header, of the usual length in sectors of 4096 bytes. Those of 512 take less.
constexpr std::uint64_t kHeadBytes = 6 * 4096;
constexpr std::uint64_t kTailBytes = 5 * 4096;

constexpr std::uint64_t kFirstStepBytes = 64 * 1024 * 1024;
constexpr std::uint64_t kEdgeBytes = 1024 * 1024;
constexpr auto kQuick = std::chrono::milliseconds(50);
constexpr auto kSlow = std::chrono::milliseconds(250);
constexpr auto kCheckpointInterval = std::chrono::seconds(5);

/// Calls `act` for `range` in steps that grow while they are quick, so that the work can be stopped. False: it was.
template <typename Act>
bool in_steps(ByteRange range, Monitor& monitor, Act act)
{
  std::uint64_t step = kFirstStepBytes;
  while (range.size != 0) {
    if (monitor.stop)
      return false;
    const ByteRange part{range.offset, std::min(range.size, step)};
    const auto begin = Clock::now();
    act(part);
    const auto took = Clock::now() - begin;
    if (took < kQuick)
      step *= 2;
    else if (took > kSlow)
      step = std::max(step / 2, kEdgeBytes);
    monitor.done_bytes += part.size;
    range = {part.end(), range.size - part.size};
  }
  return true;
}

/// What an unfinished target holds in the place of the primary header.
std::vector<std::byte> unfinished_text(const RestoreIdentity& identity)
{
  const std::string text = fmt::format("unfinished restore by gptgrow, {}\n", identity.id);
  std::vector<std::byte> bytes(kAtomicBytes);
  std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

RestoreIdentity identity_of(const Disk& disk, const Structures& structures)
{
  struct stat status;
  if (::fstat(disk.image().fd(), &status) == -1)
    throw std::system_error(errno, std::generic_category(), disk.image().path());
  std::vector<std::byte> table;
  for (const Structure* structure : structures.all())
    table.insert(table.end(), structure->bytes.begin(), structure->bytes.end());
  return {to_string(boost::uuids::random_generator()()), disk.image().size_bytes(),
          S_ISREG(status.st_mode) ? status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec : 0,
          disk.size_bytes(), crc32(table)};
}

/// The size that the user asks for, if any.
std::optional<std::uint64_t> asked_size(const DiskOptions& options)
{
  if (!options.reference.empty())
    return Image(options.reference).size_bytes();
  if (!options.size.empty())
    return parse_size(options.size).resolve(Image(options.file).size_bytes());
  return std::nullopt;
}

/// Makes what is written durable now and then, and saves the map of it where there is one to be saved. Errors come out
/// of finish().
class Checkpoints {
public:
  Checkpoints(DeviceTarget& target, const std::string& path, ProgressMap& map, Monitor& monitor)
      : target_(target), path_(path), map_(map), monitor_(monitor), thread_([this](std::stop_token stop) { run(stop); })
  {
  }

  void add(ByteRange range)
  {
    const std::lock_guard lock(mutex_);
    map_.add(range);
  }

  /// For the last time.
  void finish()
  {
    thread_.request_stop();
    thread_.join();
    if (error_)
      std::rethrow_exception(error_);
    save();
  }

private:
  void run(std::stop_token stop) noexcept
  try {
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, stop, kCheckpointInterval, [] { return false; }) && !stop.stop_requested()) {
      lock.unlock();
      save();
      lock.lock();
    }
  } catch (...) {
    error_ = std::current_exception();
    monitor_.stop = true;
  }

  void save()
  {
    const ProgressMap durable = [this] {
      const std::lock_guard lock(mutex_);
      return map_;
    }();
    target_.flush();
    if (!path_.empty())
      save_map(path_, durable);
  }

  DeviceTarget& target_;
  const std::string& path_;
  ProgressMap& map_;
  Monitor& monitor_;
  std::mutex mutex_;  // of map_
  std::condition_variable_any wake_;
  std::exception_ptr error_;
  std::jthread thread_;  // last: it uses the others
};

}  // namespace

Restore::Restore(const RestoreOptions& options) : options_(options)
{
  std::error_code ignored;
  if (std::filesystem::exists(options_.target, ignored)) {
    target_.emplace(options_.target);
    check_target();
    // The target's sector size counts too.
    options_.disk.size.clear();
    options_.disk.reference = options_.target;
  } else if (options_.disk.size.empty() && options_.disk.reference.empty()) {
    refuse("{}: no such file or device; --size or --reference would make a file", options_.target);
  }
  disk_.emplace(options_.disk);
  check_sector_size();
  pieces_.emplace(*disk_);
  if (target_)
    contents_ = contents_of(target_->fd(), disk_->size_bytes());
  const ByteRange free_space = pieces_->free_space();
  for (const Signature& signature : contents_.signatures)
    if (signature.range.offset < free_space.end() && free_space.offset < signature.range.end())
      stale_signatures_.push_back(signature);
  check_map();
}

void Restore::check_target()
{
  const Image target(options_.target);
  if (same_medium(target, Image(options_.disk.file)))
    refuse("{}: is the image itself, {}, or a part of it", options_.target, options_.disk.file);
  const auto size_bytes = asked_size(options_.disk);
  if (size_bytes && *size_bytes != target.size_bytes())
    refuse("{}: {}, not the size asked for, {}: what exists keeps its size; leave --size and --reference out, or name a "
           "new file", options_.target, format_size(target.size_bytes()), format_size(*size_bytes));
}

void Restore::check_sector_size()
{
  if (!target_)
    return;
  const std::uint32_t found = Image(options_.target).device_sector_size_bytes();
  const std::uint32_t expected = disk_->table().sector_size_bytes;
  if (found != 0 && found != expected && !options_.disk.sector_size_bytes)
    refuse("{}: sectors of {} bytes, expected {} as in the table of {}: its partitions would not be seen there; "
           "--sector-size {} restores all the same", options_.target, found, expected, options_.disk.file, expected);
}

void Restore::check_map()
{
  const RestoreIdentity identity = identity_of(*disk_, pieces_->structures());
  const std::string& path = options_.map_path;
  if (!path.empty())
    map_ = load_map(path);
  if (!map_) {
    map_.emplace(identity);
    if (!path.empty() && ::access(std::filesystem::absolute(path).parent_path().c_str(), W_OK) != 0)
      throw std::system_error(errno, std::generic_category(), path);
    return;
  }
  const auto refuse_map = [&](const std::string& why) {
    refuse("{}: is the map of another restore: {}; name another map, or delete this one to begin anew",
           options_.map_path, why);
  };
  const RestoreIdentity& then = map_->identity();
  if (then.size_bytes != identity.size_bytes)
    refuse_map(fmt::format("to a disk of {} bytes, {} has {}", then.size_bytes, options_.target, identity.size_bytes));
  if (then.image_size_bytes != identity.image_size_bytes || then.image_modified_ns != identity.image_modified_ns ||
      then.table_crc32 != identity.table_crc32)
    refuse_map(fmt::format("{} was another image, or has been changed since, or was read with other options",
                           options_.disk.file));
  if (!target_)
    refuse_map(fmt::format("{} does not exist", options_.target));
  const Structure& header = pieces_->structures().primary_header;
  std::vector<std::byte> found(kAtomicBytes);
  target_->read(header.offset, found);
  const bool table_is_being_written = map_->first_missing(0) == identity.size_bytes &&
                                      std::ranges::equal(found, std::span(header.bytes).first(kAtomicBytes));
  if (found != unfinished_text(then) && !table_is_being_written)
    refuse_map(fmt::format("{} does not hold what that one left there, at byte {}", options_.target, header.offset));
  resumes_ = true;
}

bool Restore::run(Monitor& monitor)
{
  if (!target_) {
    target_.emplace(options_.target, disk_->size_bytes());
    is_new_ = true;
  }
  if (!resumes_ && !prepare(monitor))
    return false;
  if (!copy(monitor))
    return false;
  monitor.begin(Monitor::Phase::writing_table, 0);
  write_tables();
  return true;
}

bool Restore::prepare(Monitor& monitor)
{
  std::uint64_t hole_bytes = 0;
  for_each_piece(*pieces_, [&](const Piece& piece) {
    hole_bytes += piece.kind == Piece::Kind::hole ? piece.range.size : 0;
    // A full file system shows before anything is lost.
    if (piece.kind == Piece::Kind::data)
      target_->allocate(piece.range);
  });
  monitor.begin(Monitor::Phase::preparing, hole_bytes + pieces_->free_space().size);
  wipe_tables();
  for (const Signature& signature : stale_signatures_)
    target_->write(signature.range.offset, std::vector<std::byte>(signature.range.size));
  if (!is_new_ && !(zero_holes(monitor) && free_free_space(monitor)))
    return false;
  target_->flush();
  if (!options_.map_path.empty())
    save_map(options_.map_path, *map_);
  return true;
}

void Restore::wipe_tables()
{
  const std::uint64_t size_bytes = disk_->size_bytes();
  std::vector<std::byte> head(std::min(kHeadBytes, size_bytes)), tail(std::min(kTailBytes, size_bytes));
  std::ranges::copy(unfinished_text(map_->identity()),
                    head.begin() + static_cast<std::ptrdiff_t>(pieces_->structures().primary_header.offset));
  std::optional<ByteRange> backup;  // it may be anywhere
  try {
    const FoundTables tables = find_tables(Image(options_.target), std::nullopt);
    if (tables.backup)
      backup = clip(bytes_of(tables.backup->at, 1, tables.sector_size_bytes), size_bytes);
  } catch (const Error&) {
    // Too short for a table.
  }
  target_->write(size_bytes - tail.size(), tail);
  if (backup && backup->end() <= size_bytes - tail.size() && backup->offset >= head.size())
    target_->write(backup->offset, std::vector<std::byte>(backup->size));
  target_->write(0, head);
  target_->flush();
}

bool Restore::zero_holes(Monitor& monitor)
{
  bool finished = true;
  for_each_piece(*pieces_, [&](const Piece& piece) {
    if (piece.kind == Piece::Kind::hole)
      finished = finished && in_steps(piece.range, monitor, [&](ByteRange part) { target_->zero(part); });
  });
  return finished;
}

bool Restore::free_free_space(Monitor& monitor)
{
  const ByteRange range = pieces_->free_space();
  if (range.size == 0 || options_.free_space == FreeSpace::keep)
    return true;
  const auto zero = [&](ByteRange part) { target_->zero(part); };
  if (options_.free_space == FreeSpace::zero)
    return in_steps(range, monitor, zero);
  // Devices pass over a granule that is only partly theirs to discard.
  const std::uint64_t first = std::min((range.offset / kEdgeBytes + 1) * kEdgeBytes, range.end());
  const std::uint64_t last = std::max(range.end() / kEdgeBytes * kEdgeBytes, first);
  bool can_discard = true;
  const bool finished = in_steps({first, last - first}, monitor, [&](ByteRange part) {
    can_discard = can_discard && target_->discard(part);
  });
  if (!can_discard)
    notes_.push_back(fmt::format("bytes {}-{}, behind the image, are left as they are: the device cannot discard; "
                                 "--free-space zero writes zeros there", range.offset, range.end() - 1));
  return finished && (!can_discard || (in_steps({range.offset, first - range.offset}, monitor, zero) &&
                                       in_steps({last, range.end() - last}, monitor, zero)));
}

bool Restore::copy(Monitor& monitor)
{
  const std::uint64_t size_bytes = disk_->size_bytes();
  std::uint64_t total_bytes = 0, missing_bytes = 0;
  for_each_piece(*pieces_, [&](const Piece& piece) {
    if (piece.kind != Piece::Kind::data)
      return;
    total_bytes += piece.range.size;
    for (std::uint64_t at = map_->first_missing(piece.range.offset); at < piece.range.end();) {
      const std::uint64_t end = std::min(map_->missing_end(at), piece.range.end());
      missing_bytes += end - at;
      at = map_->first_missing(end);
    }
  });
  monitor.begin(Monitor::Phase::copying, total_bytes);
  monitor.done_bytes = total_bytes - missing_bytes;

  Checkpoints checkpoints(*target_, options_.map_path, *map_, monitor);
  Piece rest;  // of the piece that is being handed out
  const auto next = [&]() -> std::optional<Piece> {
    while (!monitor.stop) {
      if (rest.range.size == 0) {
        const std::uint64_t offset = map_->first_missing(rest.range.offset);
        if (offset == size_bytes)
          break;
        rest = pieces_->at({offset, map_->missing_end(offset) - offset});
        if (rest.kind != Piece::Kind::data) {
          checkpoints.add(rest.range);
          rest.range = {rest.range.end(), 0};
          continue;
        }
      }
      const Piece chunk = first_chunk(rest);
      rest.range = {chunk.range.end(), rest.range.size - chunk.range.size};
      return chunk;
    }
    return std::nullopt;
  };
  const auto zero = [&](ByteRange range) {
    if (target_->can_punch())
      target_->zero(range);
    return target_->can_punch();
  };
  const auto done = [&](const Piece& chunk) {
    checkpoints.add(chunk.range);
    monitor.done_bytes += chunk.range.size;
  };
  Transfer(*disk_, {target_->fd(), options_.target}).copy(next, zero, done);
  checkpoints.finish();
  return map_->first_missing(0) == size_bytes;
}

void Restore::write_tables()
{
  const Structures& table = pieces_->structures();
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
