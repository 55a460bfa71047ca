// SPDX-License-Identifier: BSD-3-Clause
#include "core/target/open_files.h"

#include <fmt/format.h>

#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace gptgrow {

namespace {

namespace fs = std::filesystem;

constexpr ino_t kFirstProcessNamespace = 0xEFFFFFFC;  // the machine's own
constexpr long kPathOnly = 010000000;                 // O_PATH, in the words of fdinfo

std::string name_of_process(const std::string& number)
{
  std::ifstream file("/proc/" + number + "/comm");
  std::string name;
  std::getline(file, name);
  return name.empty() ? "process " + number : fmt::format("{} ({})", name, number);
}

std::optional<Medium> medium_behind(const fs::path& link)
{
  struct statx status {};
  if (::statx(AT_FDCWD, link.c_str(), AT_STATX_DONT_SYNC, STATX_TYPE | STATX_INO, &status) == -1)
    return std::nullopt;
  if (S_ISBLK(status.stx_mode))
    return Medium{true, makedev(status.stx_rdev_major, status.stx_rdev_minor), 0};
  if (S_ISREG(status.stx_mode))
    return Medium{false, makedev(status.stx_dev_major, status.stx_dev_minor), status.stx_ino, link};
  return std::nullopt;
}

/// Adds what `number` is of `process`.
void look_at(const std::string& process, const std::string& number, const Medium& medium, std::vector<OpenFile>& files)
{
  OpenFile file{medium, name_of_process(process)};
  std::ifstream information("/proc/" + process + "/fdinfo/" + number);
  for (std::string line; std::getline(information, line);) {
    if (line.starts_with("flags:")) {
      const long flags = std::strtol(line.c_str() + 6, nullptr, 8);
      file.can_write = (flags & O_ACCMODE) != O_RDONLY && (flags & kPathOnly) == 0;
    }
    file.is_locked = file.is_locked || (line.starts_with("lock:") && line.find("LEASE") == std::string::npos);
  }
  files.push_back(file);
}

/// Adds what `process` has mapped to write to it; the descriptor may be closed by then.
void look_at_mappings(const std::string& process, const std::function<bool(const Medium&)>& is_wanted,
                      std::vector<OpenFile>& files)
{
  std::ifstream mappings("/proc/" + process + "/maps");
  for (std::string line; std::getline(mappings, line);) {
    char addresses[64] = "", rights[8] = "";
    unsigned long inode = 0;
    if (std::sscanf(line.c_str(), "%63s %7s %*s %*s %lu", addresses, rights, &inode) != 3 || inode == 0 ||
        rights[1] != 'w' || rights[3] != 's')
      continue;
    const auto medium = medium_behind("/proc/" + process + "/map_files/" + addresses);
    if (medium && is_wanted(*medium))
      files.push_back({*medium, name_of_process(process), true});
  }
}

/// As the /proc that is read here numbers it, which may be that of another namespace.
std::string own_process()
{
  std::error_code ignored;
  return fs::read_symlink("/proc/self", ignored);
}

bool is_number(const std::string& text)
{
  return std::isdigit(static_cast<unsigned char>(text.front())) != 0;
}

}  // namespace

OpenFiles find_open_files(const std::function<bool(const Medium&)>& is_wanted)
{
  OpenFiles files;
  struct stat status;
  files.has_all_processes =
      ::geteuid() == 0 && ::stat("/proc/self/ns/pid", &status) == 0 && status.st_ino == kFirstProcessNamespace;
  std::error_code ignored;
  const std::string self = own_process();
  for (const fs::directory_entry& entry : fs::directory_iterator("/proc", ignored)) {
    const std::string process = entry.path().filename();
    if (!is_number(process) || process == self)
      continue;
    std::error_code error;
    for (const fs::directory_entry& link : fs::directory_iterator(entry.path() / "fd", error)) {
      const auto medium = medium_behind(link.path());
      if (medium && is_wanted(*medium))
        look_at(process, link.path().filename(), *medium, files.all);
    }
    look_at_mappings(process, is_wanted, files.all);
    if (error == std::errc::permission_denied)
      files.has_all_processes = false;
  }
  return files;
}

std::optional<std::vector<Lock>> read_locks(const fs::path& table)
{
  std::ifstream file(table);
  if (!file)
    return std::nullopt;
  std::vector<Lock> locks;
  const std::string self = own_process();
  for (std::string line; std::getline(file, line);) {
    char kind[16] = "";
    int process = 0;
    unsigned major_number = 0, minor_number = 0;
    unsigned long inode = 0;
    if (std::sscanf(line.c_str(), "%*[^:]: %15s %*s %*s %d %x:%x:%lu", kind, &process, &major_number, &minor_number,
                    &inode) != 5)
      continue;
    const std::string_view word = kind;
    const bool is_lock = word == "POSIX" || word == "FLOCK" || word == "OFDLCK";
    if (is_lock && std::to_string(process) != self)
      locks.push_back(
          {makedev(major_number, minor_number), inode, process > 0 ? name_of_process(std::to_string(process)) : ""});
  }
  return locks;
}

}  // namespace gptgrow
