// SPDX-License-Identifier: BSD-3-Clause
// Fields of headers that are hostile until checked.
#pragma once

#include "core/error.h"
#include "core/source/source.h"

#include <boost/endian/conversion.hpp>

namespace gptgrow {

/// Bytes of a file that are there, read at once.
class HeaderReader {
public:
  /// Throws Error, which calls them `what`, where `range` is not wholly inside `file`.
  HeaderReader(const Source& file, std::string what, ByteRange range) : file_(file), what_(std::move(what))
  {
    if (range.offset > file.size_bytes() || range.size > file.size_bytes() - range.offset)
      refuse("{}: {}: bytes {} to {}, expected inside the file of {} bytes: it is cut off, or damaged", file.name(),
             what_, range.offset, range.offset + (range.size - 1), file.size_bytes());
    bytes_ = read_bytes(file, range);
  }

  std::size_t size() const { return bytes_.size(); }
  std::span<const std::byte> bytes(std::size_t offset, std::size_t size) const
  {
    return std::span(bytes_).subspan(offset, size);
  }
  std::string_view text(std::size_t offset, std::size_t size) const
  {
    return {reinterpret_cast<const char*>(bytes_.data()) + offset, size};
  }
  bool is_zero(std::size_t offset, std::size_t size) const
  {
    return text(offset, size).find_first_not_of('\0') == std::string_view::npos;
  }

  // Precondition: the field lies inside.

  template <typename T>
  T little(std::size_t offset) const
  {
    return load<T, boost::endian::order::little>(offset);
  }

  template <typename T>
  T big(std::size_t offset) const
  {
    return load<T, boost::endian::order::big>(offset);
  }

  /// Refuses `file`: "image.qcow2: qcow2 header: " and the rest.
  template <typename... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) const
  {
    refuse("{}: {}: {}", file_.name(), what_, message<Args...>(format, std::forward<Args>(args)...));
  }

private:
  template <typename T, boost::endian::order Order>
  T load(std::size_t offset) const
  {
    return boost::endian::endian_load<T, sizeof(T), Order>(
        reinterpret_cast<const unsigned char*>(bytes(offset, sizeof(T)).data()));
  }

  const Source& file_;
  std::string what_;
  std::vector<std::byte> bytes_;
};

inline constexpr const char* kFlatten = "qemu-img convert makes one image of it that needs no other";

}  // namespace gptgrow
