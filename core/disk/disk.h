// SPDX-License-Identifier: BSD-3-Clause
// The disk as it shall be, which is served, or restored: the image's bytes, zeros where it has none, and the GPT moved to the
// new end. An image, seen through a layout; itself a source.
#pragma once

#include "core/disk/layout.h"
#include "core/format/format.h"
#include "core/gpt/extend.h"

#include <array>

namespace gptgrow {

/// How an image is read, and what is served of it.
struct Reading {
  std::optional<std::uint32_t> sector_size_bytes = {};  // none: found from the table
  std::optional<DiskFormat> format = {};                // of the image's file; none: found from its first bytes
  TableChoice table = TableChoice::primary;
  Policy policy = {};
  std::optional<SlotToExtend> extend = {};
};

/// The table of `image` that is asked for, checked. Throws Error when it is refused.
std::shared_ptr<const Table> read_table_of(const Source& image, const Reading& reading);

/// Bytes of one role that are all data, or all zeros that need no space.
struct Piece {
  ByteRange range;
  Role role = Role::content;
  bool is_hole = false;

  bool is_data() const { return role == Role::content && !is_hole; }
  bool is_free_space() const { return role == Role::free_space; }

  /// Neither table nor data nor free space: a hole of the image, what it lacks of a partition, an old backup.
  bool needs_zeros() const { return (role == Role::content && is_hole) || is_old_backup(role); }
};

/// No const member allocates or locks unless it throws.
class Disk final : public Source {
public:
  /// Checks and plans. Throws Error when anything is refused.
  Disk(std::shared_ptr<const Source> image, const WantedSize& size, const Reading& reading);

  /// The same, with the image's table as read_table_of() gives it: disks of many sizes need it once.
  Disk(std::shared_ptr<const Source> image, std::shared_ptr<const Table> table, const WantedSize& size,
       const Reading& reading);

  const Source& image() const { return *image_; }
  const Table& table() const { return *table_; }  // the image's
  const Layout& layout() const { return layout_; }

  /// What was asked for, and is served; it may be where it was.
  const std::optional<Extension>& extension() const { return extension_; }

  /// Of the table that is served, without the rest of its last sector.
  std::span<const std::byte> array() const;
  std::vector<Entry> used_entries() const;

  /// What the user should know, a sentence each, without the image's name.
  std::vector<std::string> warnings() const;

  /// The image's.
  const std::string& name() const override { return image_->name(); }
  std::string version() const override { return image_->version(); }
  std::optional<timespec> modified() const override { return image_->modified(); }
  std::vector<const Source*> stored_in() const override { return image_->stored_in(); }
  void share() const override { image_->share(); }
  void before_fork() const override { image_->before_fork(); }
  void after_fork() const override { image_->after_fork(); }
  void stop_waiting_when(const std::atomic<bool>* stop) const override { image_->stop_waiting_when(stop); }

  std::uint64_t size_bytes() const override { return layout_.regions.size_bytes(); }
  void read(std::uint64_t offset, std::span<std::byte> buffer) const override;
  Extent extent(ByteRange range) const override;
  void prefetch(ByteRange range) const override;

  /// The piece that starts at `range.offset`, at most `range.size` bytes of it; the next one may be of the same kind. Data lies
  /// in one run of the image. Precondition: `range` is not empty and lies inside the disk.
  Piece piece(ByteRange range) const;

  /// None, also, when a part of `range` is not the image's.
  std::optional<FileRange> file_range(ByteRange range) const override;

private:
  void extend(SlotToExtend which);

  std::shared_ptr<const Source> image_;
  std::shared_ptr<const Table> table_;
  Layout layout_;
  std::uint32_t context_sector_size_bytes_;
  std::optional<Extension> extension_;
  std::vector<std::byte> extended_array_;  // empty: the array is the image's
};

/// Where a part of its table is served, in whole sectors.
struct TablePlace {
  Role role = Role::mbr;
  ByteRange range;
};

/// MBR, headers and arrays, in the order of their roles.
std::array<TablePlace, 5> table_places(const Disk& disk);
Structure read_structure(const Disk& disk, const TablePlace& place);

/// Its partition table, as it is served.
Gpt gpt_of(const Disk& disk);

/// Calls `use` with every piece of the disk, in order of place.
template <typename Use>
void for_each_piece(const Disk& disk, Use use)
{
  for (std::uint64_t offset = 0; offset < disk.size_bytes();) {
    const Piece piece = disk.piece({offset, disk.size_bytes() - offset});
    use(piece);
    offset = piece.range.end();
  }
}

}  // namespace gptgrow
