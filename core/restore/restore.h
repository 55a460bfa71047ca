// SPDX-License-Identifier: BSD-3-Clause
// An image onto a disk, in an order that never leaves a valid table over incomplete data:
//
//   1. what may fail for lack of space: the map, and the blocks of a file
//   2. both tables of the target are wiped: the headers that are there, then the places of tables of either sector size
//   3. signatures of what was there before, in the free space: behind the image and all partitions
//   4. holes, free space, data
//   5. the backup GPT
//   6. the primary GPT
//   7. the MBR
//
// each durable before the next begins. From 2 on until the primary GPT is written, a mark in its place says that a restore is
// unfinished, and which. From 5 on, a tool may see a valid table: all data is there then, and only the primary or the MBR may be
// missing yet.
//
// An image that can be read only once (compressed, or a pipe) is known by its head until its end has passed. 1 to 3 go by the
// head; its data are written as they come; then the final table is planned, and what is left of 4 is done, then 5 to 7.
//
// With the map of the same restore, 1 to 3 were done already, and 4 does only what the map lacks.
#pragma once

#include "core/restore/monitor.h"
#include "core/restore/progress_map.h"
#include "core/restore/restore_plan.h"
#include "core/stream/image_stream.h"
#include "core/target/contents.h"
#include "core/target/target.h"

namespace gptgrow {

struct RestoreOptions {
  Reading reading;
  std::optional<WantedSize> size;  // of a file that is to be made; a target that is there must have it
  std::string target;
  FreeSpace free_space = FreeSpace::discard;
  std::string map_path;  // empty: no map
};

class Restore {
public:
  /// Opens, holds and checks everything, and writes nothing. Throws Error when anything is refused.
  Restore(std::shared_ptr<const Source> image, const RestoreOptions& options);

  /// Of an image that is read once, and of which only the head is known yet.
  Restore(std::shared_ptr<ImageStream> stream, const RestoreOptions& options);

  /// What will be written. Before run(), of an image that is read once, as its head describes it: the end may be another.
  const Disk& disk() const { return *disk_; }
  bool makes_file() const { return !target_; }
  bool resumes() const { return resumes_; }

  /// What an earlier run wrote, says the map: data, and what was made zeros. run() passes it over; of an image that is read
  /// once, it compares that with what comes, and writes what differs.
  std::uint64_t earlier_bytes() const { return earlier_bytes_; }

  /// What the target holds now; nothing for a file that is to be made.
  const Contents& contents() const { return contents_; }

  /// Signatures in the free space, which run() wipes unless it goes on from a map.
  const std::vector<Signature>& stale_signatures() const { return plan_.stale_signatures; }

  /// Why the target might be held, or be the image, all the same: what cannot be seen, a sentence each.
  const std::vector<std::string>& unseen() const { return unseen_; }

  /// Does 1 to 7, and does not verify. False: stopped before 5. Throws what failed; state() tells how far it came. The map is
  /// gone when all is done. Not to be called twice.
  bool run(Monitor& monitor);

  /// After run(), when the target turns out not to hold what was written: takes its table away again.
  void withdraw_table();

  /// How far it came.
  enum class State {
    untouched,      // every byte is as it was
    wiping,         // the old table may be there, whole or in part
    incomplete,     // no valid table, and not all of the data
    writing_table,  // all data, and perhaps not the whole table
    complete,
  };
  State state() const { return state_; }

  /// After run(): of an image that is read once, its end told that it cannot be a disk of this size, or none at all.
  bool is_image_refused() const { return is_image_refused_; }

  /// After run(): what a person should know of what was done, a sentence each.
  const std::vector<std::string>& notes() const { return notes_; }

  /// After run(): what should be given back to the device, and is left as it was.
  std::optional<ByteRange> free_space_left() const { return free_space_left_; }

  /// After run(): of an image that cannot be read again, what its data were.
  const Checksums* checksums() const { return streamed_ ? &streamed_->checksums() : nullptr; }

  /// After run(): the target, still held.
  DeviceTarget& target() { return *target_; }

private:
  Restore(std::shared_ptr<const Source> image, std::shared_ptr<ImageStream> stream, const RestoreOptions& options);
  void check_relation();
  void check_target();
  void check_sector_size();
  TargetBefore look_at_target();
  void open_map();
  void check_image_unchanged() const;
  bool prepare(const Monitor& monitor);
  bool receive(Monitor& monitor);
  void wipe();
  /// Durably, with the mark of an unfinished restore where they hold its place.
  void make_zeros(const std::vector<ByteRange>& ranges);
  void write_tables();
  void remove_map();

  std::shared_ptr<const Source> image_;
  std::shared_ptr<ImageStream> stream_;  // none: the image can be read wherever one wants
  std::shared_ptr<StreamedImage> streamed_;
  RestoreOptions options_;
  std::optional<DeviceTarget> target_;
  std::vector<std::string> unseen_;
  std::optional<Disk> disk_;
  TargetBefore before_;
  RestorePlan plan_;
  std::string image_state_;  // when it was opened
  Contents contents_;
  std::optional<ProgressMap> map_;  // kept even where it is not saved
  bool resumes_ = false;
  std::uint64_t earlier_bytes_ = 0;
  bool is_new_ = false;
  State state_ = State::untouched;
  bool is_image_refused_ = false;
  std::vector<std::string> notes_;
  std::optional<ByteRange> free_space_left_;
};

}  // namespace gptgrow
