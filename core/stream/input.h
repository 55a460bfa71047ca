// SPDX-License-Identifier: BSD-3-Clause
// A file or a pipe, read once from its beginning.
#pragma once

#include "core/format/format.h"

#include <atomic>
#include <memory>

namespace gptgrow {

/// What is thrown when the work was asked to stop while bytes were waited for.
struct Stopped {};

class Input {
public:
  virtual ~Input() = default;

  /// Opens what open_source() does; "-" is standard input, whatever that is.
  static std::unique_ptr<Input> open(const std::string& name, std::optional<DiskFormat> format);

  /// For messages.
  virtual const std::string& name() const = 0;

  /// The next bytes, at least one of them; 0: there are no more. Throws std::system_error, or Stopped soon after `stop`
  /// became true.
  std::size_t read(std::span<std::byte> buffer, const std::atomic<bool>& stop);

  /// How many bytes read() has given.
  std::uint64_t offset() const { return offset_; }

  /// The file; none: a pipe, which can be read once, and has no length that is known.
  virtual std::shared_ptr<const Source> file() const { return nullptr; }

  /// The file or device that the bytes come from, also where it is standard input; none: a pipe.
  virtual std::shared_ptr<const Source> stored_in() const { return file(); }

private:
  virtual std::size_t read_some(std::span<std::byte> buffer, const std::atomic<bool>& stop) = 0;

  std::uint64_t offset_ = 0;
};

}  // namespace gptgrow
