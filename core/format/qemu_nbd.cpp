// SPDX-License-Identifier: BSD-3-Clause
#include "core/format/qemu_nbd.h"

#include "core/error.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace gptgrow {

namespace {

constexpr const char* kProgram = "qemu-nbd";
constexpr int kListeningFd = 3;  // systemd's rule for who is given a socket
constexpr int kFirstFreeFd = 10;
constexpr std::chrono::seconds kLastWords{5};
constexpr std::string_view kPidVariable = "LISTEN_PID=";

[[noreturn]] void fail(const std::string& name, const char* what, int error)
{
  throw std::system_error(error, std::generic_category(), message("{}: {}: {}", name, kProgram, what));
}

std::string find_program(const std::string& name)
{
  const char* const path = std::getenv("PATH");
  std::string_view rest = path ? path : "/usr/bin:/bin";
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    std::string file = fmt::format("{}/{}", rest.substr(0, end), kProgram);
    if (file.front() == '/' && ::access(file.c_str(), X_OK) == 0)
      return file;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  refuse("{}: {} is needed to read it, and is not installed: it is in the package qemu-utils", name, kProgram);
}

/// Out of the way of 0 to 3, which the child gives a meaning of their own.
FileDescriptor moved_up(int fd, const std::string& name)
{
  FileDescriptor result(::fcntl(fd, F_DUPFD_CLOEXEC, kFirstFreeFd));
  if (result.get() == -1)
    fail(name, "a file", errno);
  return result;
}

FileDescriptor unix_socket(const std::string& name)
{
  const FileDescriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fd.get() == -1)
    fail(name, "a socket", errno);
  return moved_up(fd.get(), name);
}

struct Pipe {
  FileDescriptor read_end, write_end;
};

Pipe make_pipe(const std::string& name, int flags)
{
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC | flags) == -1)
    fail(name, "a pipe", errno);
  const FileDescriptor read_end(fds[0]), write_end(fds[1]);
  return {moved_up(read_end.get(), name), moved_up(write_end.get(), name)};
}

/// What the child does before it becomes QEMU: system calls alone, as when it was made other threads may have held any lock.
struct Child {
  std::string program, folder, socket_path;
  std::vector<char*> arguments, environment;
  char* pid_digits = nullptr;
  sockaddr_un address{};
  int nothing = -1, listening = -1, said = -1, failed = -1;
  std::vector<int> sockets, files;
  pid_t parent = -1;

  int connect_all() const
  {
    const auto* const to = reinterpret_cast<const sockaddr*>(&address);
    if (::bind(listening, to, sizeof(address)) == -1 || ::listen(listening, nbd::kMaxConnections) == -1)
      return errno;
    for (const int fd : sockets)
      if (::connect(fd, to, sizeof(address)) == -1)
        return errno;
    return 0;
  }

  /// A socket needs a name to be connected to. It has one only here, in a folder that is ours, and this goes on to its end even
  /// when we are killed. Returns 0, or what errno was.
  int make_connections() const
  {
    if (::mkdir(folder.c_str(), 0700) == -1)
      return errno;
    const int error = connect_all();
    (void)::unlink(socket_path.c_str());
    (void)::rmdir(folder.c_str());
    return error;
  }

  void become_qemu() const
  {
    (void)::syscall(SYS_close_range, kListeningFd, ~0U, 1U << 2);  // CLOSE_RANGE_CLOEXEC
    for (const int fd : files)
      (void)::fcntl(fd, F_SETFD, 0);
    if (::dup2(nothing, STDIN_FILENO) == -1 || ::dup2(nothing, STDOUT_FILENO) == -1 ||
        ::dup2(said, STDERR_FILENO) == -1 || ::dup2(listening, kListeningFd) == -1)
      return;
    std::to_chars(pid_digits, pid_digits + 11, ::getpid());
    sigset_t none;
    ::sigemptyset(&none);
    (void)::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::execve(program.c_str(), arguments.data(), environment.data());
  }

  [[noreturn]] void run() const
  {
    // What is typed at our terminal is for us to act on.
    (void)::setsid();
    int error = make_connections();
    if (error == 0) {
      (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() == parent)
        become_qemu();
      error = errno;
    }
    (void)!::write(failed, &error, sizeof(error));
    ::_exit(127);
  }
};

std::string random_name()
{
  std::uint64_t number = 0;
  if (::getrandom(&number, sizeof(number), 0) != sizeof(number))
    number = static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  return fmt::format("/tmp/gptgrow-{:016x}", number);
}

pid_t fork_with_signals_blocked(const Child& child)
{
  sigset_t all, old;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &old);
  const pid_t process = ::fork();
  if (process == 0)
    child.run();
  const int error = errno;
  ::pthread_sigmask(SIG_SETMASK, &old, nullptr);
  errno = error;
  return process;
}

}  // namespace

FileDescriptor for_qemu(int fd, const std::string& name)
{
  return moved_up(fd, name);
}

std::string path_in_qemu(const FileDescriptor& file)
{
  return fmt::format("/proc/self/fd/{}", file.get());
}

QemuNbd::QemuNbd(std::string name, std::string image, std::vector<FileDescriptor> files)
    : name_(std::move(name)), image_(std::move(image)), files_(std::move(files))
{
}

void QemuNbd::start()
{
  const FileDescriptor dev_null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const FileDescriptor nothing = moved_up(dev_null.get(), name_), listening = unix_socket(name_);
  // Full, it forgets what is written to it.
  Pipe said = make_pipe(name_, O_NONBLOCK);
  Pipe failed = make_pipe(name_, 0);
  for (unsigned i = 0; i < nbd::kMaxConnections; ++i)
    sockets_.push_back(unix_socket(name_));

  std::vector<std::string> words{kProgram, "--read-only", fmt::format("--shared={}", nbd::kMaxConnections),
                                 "json:" + image_};
  std::vector<std::string> variables{"LISTEN_FDS=1", std::string(kPidVariable) + std::string(12, '\0')};
  Child child;
  child.program = find_program(name_);
  child.folder = random_name();
  child.nothing = nothing.get();
  child.listening = listening.get();
  child.said = said.write_end.get();
  child.failed = failed.write_end.get();
  child.parent = ::getpid();
  child.socket_path = child.folder + "/nbd";
  child.address.sun_family = AF_UNIX;
  std::memcpy(child.address.sun_path, child.socket_path.c_str(), child.socket_path.size());
  for (std::string& word : words)
    child.arguments.push_back(word.data());
  child.arguments.push_back(nullptr);
  for (std::string& variable : variables)
    child.environment.push_back(variable.data());
  child.environment.push_back(nullptr);
  child.pid_digits = variables.back().data() + kPidVariable.size();
  for (const FileDescriptor& socket : sockets_)
    child.sockets.push_back(socket.get());
  for (const FileDescriptor& file : files_)
    child.files.push_back(file.get());

  process_ = fork_with_signals_blocked(child);
  if (process_ == -1)
    fail(name_, "cannot be started", errno);
  failed.write_end = FileDescriptor();
  said_ = std::move(said.read_end);
  int error = 0;
  ssize_t count = 0;
  do
    count = ::read(failed.read_end.get(), &error, sizeof(error));
  while (count == -1 && errno == EINTR);
  if (count == 0)
    return;
  stop();
  fail(name_, "cannot be started", error);
}

void QemuNbd::stop()
{
  sockets_.clear();
  if (process_ == -1)
    return;
  (void)::kill(process_, SIGKILL);
  while (::waitpid(process_, nullptr, 0) == -1 && errno == EINTR) {}
  process_ = -1;
}

nbd::Connect QemuNbd::connect(unsigned number) const
{
  return [this, number](nbd_handle* handle) {
    // libnbd closes it.
    const int fd = ::fcntl(sockets_.at(number).get(), F_DUPFD_CLOEXEC, 0);
    sockets_[number] = FileDescriptor();
    return ::nbd_aio_connect_socket(handle, fd);
  };
}

std::string QemuNbd::last_words() const
{
  std::string text;
  const auto deadline = std::chrono::steady_clock::now() + kLastWords;
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd ready{said_.get(), POLLIN, 0};
    std::array<char, 4096> buffer;
    ssize_t count = 0;
    if (left.count() <= 0 || ::poll(&ready, 1, static_cast<int>(left.count())) <= 0 ||
        (count = ::read(said_.get(), buffer.data(), buffer.size())) <= 0)
      break;
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  text.erase(text.find_last_not_of('\n') + 1);
  text.erase(0, text.rfind('\n') + 1);
  // Behind our own words to it comes why.
  if (const std::size_t end = text.find("}': "); end != text.npos)
    text = fmt::format("{}: {}", kProgram, text.substr(end + 4));
  return text;
}

}  // namespace gptgrow
