// SPDX-License-Identifier: BSD-3-Clause
// An image onto a disk, in an order that never leaves a valid table over incomplete data:
//
//   1. what may want for space: the map, and the space of a file
//   2. both tables of the target are wiped, at the places of either sector size
//   3. signatures of what was there before, in the space that the image does not reach
//   4. holes, that space, data
//   5. the backup GPT
//   6. the primary GPT
//   7. the MBR
//
// each durable before the next begins. An image that is read once takes the place of 4: its data are written while they
// pass, and then what only its end could tell. While it is unfinished, a text in the place of the primary header says so. From 5
// on, a tool may see a valid table: all data is there then, and only the primary or the MBR may be missing yet.
#pragma once

#include "core/restore/monitor.h"
#include "core/restore/plan.h"
#include "core/restore/progress_map.h"
#include "core/stream/image_stream.h"
#include "core/target/contents.h"
#include "core/target/target.h"

namespace gptgrow {

struct RestoreOptions {
  Reading reading;
  std::optional<WantedSize> size;  // only for a file that is to be made, or to be sure
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

  /// Before run(), of an image that is read once, what it is likely to become.
  const Disk& disk() const { return *disk_; }
  bool makes_file() const { return !target_; }
  bool resumes() const { return resumes_; }

  /// What the map says that an earlier run wrote, and run() does not look at: data, and what was made zeros.
  std::uint64_t earlier_bytes() const { return earlier_bytes_; }

  /// What the target holds now; nothing for a file that is to be made.
  const Contents& contents() const { return contents_; }

  /// Signatures in the free space, which run() wipes unless it goes on from a map.
  const std::vector<Signature>& stale_signatures() const { return plan_.stale_signatures; }

  /// Why the target might be held, or be the image, all the same: what cannot be seen, a sentence each.
  const std::vector<std::string>& unseen() const { return unseen_; }

  /// Does it all. False: stopped before the table was written. Not to be called twice. The map is gone when all is done.
  bool run(Monitor& monitor);

  /// How far run() came.
  enum class State {
    untouched,      // every byte is as it was
    wiping,         // the old table may be there, whole or in part
    incomplete,     // no valid table
    writing_table,  // all but the table is there
    complete,
  };
  State state() const { return state_; }

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
  void wipe_tables();
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
  std::vector<std::string> notes_;
  std::optional<ByteRange> free_space_left_;
};

}  // namespace gptgrow
