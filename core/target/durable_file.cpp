// SPDX-License-Identifier: BSD-3-Clause
#include "core/target/durable_file.h"

#include "core/error.h"
#include "core/source/file_source.h"

#include <cerrno>
#include <filesystem>
#include <system_error>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gptgrow {

namespace {

[[noreturn]] void fail(const std::string& path)
{
  throw std::system_error(errno, std::generic_category(), path);
}

void write_and_sync(const FileDescriptor& fd, const std::string& path, std::string_view text)
{
  while (!text.empty()) {
    const ssize_t count = ::write(fd.get(), text.data(), text.size());
    if (count == -1 && errno != EINTR)
      fail(path);
    text.remove_prefix(count == -1 ? 0 : static_cast<std::size_t>(count));
  }
  if (::fsync(fd.get()) == -1)
    fail(path);
}

}  // namespace

bool write_new_file(const std::string& path, std::string_view text)
{
  const FileDescriptor fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (fd.get() == -1 && errno == EEXIST)
    return false;
  if (fd.get() == -1)
    fail(path);
  try {
    write_and_sync(fd, path, text);
  } catch (...) {
    ::unlink(path.c_str());
    throw;
  }
  sync_directory_of(path);
  return true;
}

void replace_file(const std::string& path, std::string_view text)
{
  // A name of its own: another file of any name that could be guessed is somebody's.
  std::string temporary = path + ".XXXXXX";
  const FileDescriptor fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (fd.get() == -1)
    fail(path);
  try {
    write_and_sync(fd, path, text);
    if (::rename(temporary.c_str(), path.c_str()) == -1)
      fail(path);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_directory_of(path);
}

void remove_file(const std::string& path)
{
  if (::unlink(path.c_str()) == -1)
    fail(path);
  sync_directory_of(path);
}

void sync_directory_of(const std::string& path)
{
  const std::string parent = std::filesystem::path(path).parent_path();
  const std::string directory = parent.empty() ? "." : parent;
  const FileDescriptor fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() == -1 || ::fsync(fd.get()) == -1)
    fail(directory);
}

std::string read_file(const std::string& path, std::uint64_t max_size_bytes)
{
  const FileSource file(path);
  if (file.size_bytes() > max_size_bytes)
    refuse("{}: {} bytes long, expected at most {}", path, file.size_bytes(), max_size_bytes);
  std::string text(file.size_bytes(), '\0');
  file.read(0, std::as_writable_bytes(std::span(text)));
  return text;
}

bool is_same_path(const std::string& a, const std::string& b)
{
  std::error_code ignored;
  return std::filesystem::weakly_canonical(std::filesystem::absolute(a)) ==
             std::filesystem::weakly_canonical(std::filesystem::absolute(b)) ||
         std::filesystem::equivalent(a, b, ignored);
}

bool exists(const std::string& path)
{
  struct stat status;
  if (::stat(path.c_str(), &status) == 0)
    return true;
  if (errno != ENOENT)
    throw std::system_error(errno, std::generic_category(), path);
  return false;
}

void remove_if_possible(const std::string& path) noexcept
try {
  remove_file(path);
} catch (const std::exception&) {
  // What went wrong before is what counts.
}

}  // namespace gptgrow
