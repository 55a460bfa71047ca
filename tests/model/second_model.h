// SPDX-License-Identifier: BSD-3-Clause
// Section 2 of the contract a second time, in C++ and fast, for images in memory: by the shortest way, and without the core, which
// is compared with it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace model {

using Bytes = std::vector<std::uint8_t>;
using View = std::span<const std::uint8_t>;

inline constexpr std::int64_t kEndsLast = -1;

struct Wish {
  std::uint64_t size_bytes = 0;
  std::uint32_t sector_size_bytes = 0;  // 0: found
  bool backup_table = false;
  bool keep_old_backup = false;
  bool allow_truncated = false;
  std::int64_t extend = 0;  // a slot, or kEndsLast; 0: none
};

/// The disk as it is served: the image, zeros behind it, and pieces laid over both, a later one over an earlier one.
class Served {
public:
  Served(View image, std::uint64_t size_bytes) : image_(image), size_bytes_(size_bytes) {}

  void lay(std::uint64_t offset, Bytes bytes) { pieces_.push_back({offset, std::move(bytes)}); }

  std::uint64_t size_bytes() const { return size_bytes_; }

  /// Precondition: inside the disk.
  void read(std::uint64_t offset, std::span<std::uint8_t> buffer) const;

  /// How many bytes from `offset` on are of the grown area, in which everything is a hole; 0: none.
  std::uint64_t grown(std::uint64_t offset) const;

private:
  struct Piece {
    std::uint64_t offset;
    Bytes bytes;
  };

  View image_;
  std::uint64_t size_bytes_;
  std::vector<Piece> pieces_;
};

/// Nothing: it is refused.
std::optional<Served> serve(View image, const Wish& wish);

}  // namespace model
