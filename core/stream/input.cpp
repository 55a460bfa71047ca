// SPDX-License-Identifier: BSD-3-Clause
#include "core/stream/input.h"

#include "core/source/file_descriptor.h"
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
constexpr int kPipeBytes = 1024 * 1024;  // what any user may have
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
  /// A larger pipe, where it is one and the system grants it, means fewer turns between its two ends. The kernel copies into a
  /// pipe and out of it in turn: what is moved to a pipe of our own can be copied while the writer goes on.
  PipeInput()
  {
    struct stat status;
    if (::fstat(STDIN_FILENO, &status) == -1)
      return;
    if (S_ISREG(status.st_mode) || S_ISBLK(status.st_mode))
      redirected_from_ = std::make_shared<const FileSource>(fmt::format("/proc/self/fd/{}", STDIN_FILENO));
    int ends[2];
    if (S_ISFIFO(status.st_mode) && ::pipe2(ends, O_CLOEXEC) == 0) {
      taken_ = FileDescriptor(ends[0]);
      taking_ = FileDescriptor(ends[1]);
      for (const int pipe : {STDIN_FILENO, ends[1]})
        (void)::fcntl(pipe, F_SETPIPE_SZ, kPipeBytes);
    }
  }

  const std::string& name() const override { return name_; }
  std::shared_ptr<const Source> stored_in() const override { return redirected_from_; }

private:
  std::size_t read_some(std::span<std::byte> buffer, const std::atomic<bool>& stop) override
  {
    if (taken_.get() == -1)
      return wait_for(stop, [&] { return ::read(STDIN_FILENO, buffer.data(), buffer.size()); });
    if (taken_bytes_ == 0)
      taken_bytes_ =
          wait_for(stop, [&] { return ::splice(STDIN_FILENO, nullptr, taking_.get(), nullptr, kPipeBytes, 0); });
    if (taken_bytes_ == 0)
      return 0;
    const ssize_t count = ::read(taken_.get(), buffer.data(), std::min(buffer.size(), taken_bytes_));
    if (count <= 0)
      throw_io_error(count == 0 ? EIO : errno, name_, "read", offset());
    taken_bytes_ -= static_cast<std::size_t>(count);
    return static_cast<std::size_t>(count);
  }

  template <typename Read>
  std::size_t wait_for(const std::atomic<bool>& stop, const Read& read)
  {
    while (true) {
      if (stop)
        throw Stopped();
      pollfd ready{STDIN_FILENO, POLLIN, 0};
      const int found = ::poll(&ready, 1, kLookForStopMilliseconds);
      if (found == 0)
        continue;
      const ssize_t count = found == -1 ? -1 : read();
      if (count >= 0)
        return static_cast<std::size_t>(count);
      if (errno != EINTR && errno != EAGAIN)
        throw_io_error(errno, name_, "read", offset());
    }
  }

  std::string name_ = "standard input";
  FileDescriptor taken_, taking_;
  std::size_t taken_bytes_ = 0;
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
