// SPDX-License-Identifier: BSD-3-Clause
// A disk of which only the beginning is there yet.
#pragma once

#include "core/gpt/header.h"
#include "core/source/compression.h"
#include "core/stream/input.h"

#include <functional>
#include <optional>

namespace gptgrow {

/// Fills the buffer with the next bytes of the disk; fewer: it ends.
using ReadNext = std::function<std::size_t(std::span<std::byte>)>;

/// What a disk is likely to be, as its MBR, primary header and array tell: as long as AlternateLBA says, with a backup there
/// that mirrors the primary. All else is a hole.
class HeadImage : public Source {
public:
  /// Reads as far as the array goes. Throws Error where there is no valid primary table.
  HeadImage(const Input& input, Compression compression, const ReadNext& read_next,
            std::optional<std::uint32_t> sector_size_bytes);

  /// The bytes of the disk that were read.
  std::span<const std::byte> head() const { return head_; }

  const Header& primary() const { return *primary_; }

  const std::string& name() const override { return name_; }
  std::uint64_t size_bytes() const override { return size_bytes_; }
  void read(std::uint64_t offset, std::span<std::byte> buffer) const override;
  Extent extent(ByteRange range) const override;

  std::vector<const Source*> stored_in() const override
  {
    return stored_in_ ? stored_in_->stored_in() : std::vector<const Source*>{this};
  }
  std::string version() const override;
  std::optional<timespec> modified() const override { return file_ ? file_->modified() : std::nullopt; }

private:
  std::optional<Problem> try_table(const ReadNext& read_next, std::uint32_t sector_size_bytes);
  void find_table(const ReadNext& read_next, std::optional<std::uint32_t> sector_size_bytes);
  bool read_until(std::uint64_t size, const ReadNext& read_next);

  std::string name_;
  Compression compression_;
  std::shared_ptr<const Source> file_, stored_in_;
  std::vector<std::byte> head_;
  std::optional<Header> primary_;
  std::vector<std::byte> tail_;   // the backup
  std::uint64_t size_bytes_ = 0;  // until the table is found, of what was read
};

}  // namespace gptgrow
