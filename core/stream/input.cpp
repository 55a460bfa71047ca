// SPDX-License-Identifier: BSD-3-Clause
#include "core/stream/input.h"

#include "core/source/file_io.h"
#include "core/source/file_source.h"
#include "core/source/open_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gptgrow {

namespace {

constexpr std::uint64_t kPrefetchBytes = 8 * 1024 * 1024;
constexpr int kPipeBytes = 256 * 1024;  // stays in a processor's cache, and no end waits long for the other's turn
constexpr int kLookForStopMilliseconds = 200;

class FileInput : public Input {
public:
  explicit FileInput(std::shared_ptr<const Source> file) : file_(std::move(file)) {}

  const std::string& name() const override { return file_->name(); }
  std::shared_ptr<const Source> file() const override { return file_; }

private:
  std::size_t read_some(std::span<std::byte> buffer, const std::atomic<bool>&) override
  {
    const ByteRange range = clip({offset(), buffer.size()}, file_->size_bytes());
    if (range.size == 0)
      return 0;
    if (range.end() > prefetched_) {
      file_->prefetch(clip({range.offset, 2 * kPrefetchBytes}, file_->size_bytes()));
      prefetched_ = range.offset + kPrefetchBytes;
    }
    file_->read(range.offset, buffer.first(range.size));
    return range.size;
  }

  std::shared_ptr<const Source> file_;
  std::uint64_t prefetched_ = 0;
};

class PipeInput : public Input {
public:
  /// A larger pipe, where it is one and the system grants it, means fewer turns between its two ends.
  PipeInput()
  {
    (void)::fcntl(STDIN_FILENO, F_SETPIPE_SZ, kPipeBytes);
    struct stat status;
    if (::fstat(STDIN_FILENO, &status) == 0 && (S_ISREG(status.st_mode) || S_ISBLK(status.st_mode)))
      redirected_from_ = std::make_shared<const FileSource>(fmt::format("/proc/self/fd/{}", STDIN_FILENO));
  }

  const std::string& name() const override { return name_; }
  std::shared_ptr<const Source> stored_in() const override { return redirected_from_; }

private:
  std::size_t read_some(std::span<std::byte> buffer, const std::atomic<bool>& stop) override
  {
    while (true) {
      if (stop)
        throw Stopped();
      pollfd ready{STDIN_FILENO, POLLIN, 0};
      const int found = ::poll(&ready, 1, kLookForStopMilliseconds);
      if (found == 0)
        continue;
      const ssize_t count = found == -1 ? -1 : ::read(STDIN_FILENO, buffer.data(), buffer.size());
      if (count >= 0)
        return static_cast<std::size_t>(count);
      if (errno != EINTR && errno != EAGAIN)
        throw_io_error(errno, name_, "read", offset());
    }
  }

  std::string name_ = "standard input";
  std::shared_ptr<const Source> redirected_from_;
};

}  // namespace

std::unique_ptr<Input> Input::open(const std::string& name, std::optional<DiskFormat> format)
{
  if (name == "-")
    return std::make_unique<PipeInput>();
  return std::make_unique<FileInput>(open_source(name, format));
}

std::size_t Input::read(std::span<std::byte> buffer, const std::atomic<bool>& stop)
{
  const std::size_t count = read_some(buffer, stop);
  offset_ += count;
  return count;
}

}  // namespace gptgrow
