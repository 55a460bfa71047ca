// SPDX-License-Identifier: BSD-3-Clause
#include "core/stream/input.h"

#include "core/source/file_descriptor.h"
#include "tests/unit/catch2.h"
#include "tests/unit/redirected.h"
#include "tests/unit/temporary_file.h"

#include <csignal>
#include <fstream>
#include <system_error>
#include <thread>

#include <fmt/format.h>
#include <pthread.h>

using namespace gptgrow;

namespace {

const std::atomic<bool> kGoOn = false;

struct Pipe {
  Pipe()
  {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    read_end = FileDescriptor(ends[0]);
    write_end = FileDescriptor(ends[1]);
  }

  FileDescriptor read_end, write_end;
};

std::string read_text(Input& input, std::size_t size, const std::atomic<bool>& stop = kGoOn)
{
  std::string text(size, '\0');
  text.resize(input.read(std::as_writable_bytes(std::span(text)), stop));
  return text;
}

std::atomic<bool> stop_by_signal;
std::atomic<int> signals;

void count_signal(int)
{
  ++signals;
}

void stop_work(int)
{
  stop_by_signal = true;
  ++signals;
}

/// While it lives, SIGUSR1 calls `handler`, and interrupts what waits.
class OnSignal {
public:
  explicit OnSignal(void (*handler)(int))
  {
    signals = 0;
    struct sigaction action {};
    action.sa_handler = handler;
    REQUIRE(::sigaction(SIGUSR1, &action, &before_) == 0);
  }
  OnSignal(const OnSignal&) = delete;
  ~OnSignal() { ::sigaction(SIGUSR1, &before_, nullptr); }

private:
  struct sigaction before_ {};
};

/// Sends it to `thread` as soon as that sleeps.
void interrupt(pthread_t thread, const std::atomic<pid_t>& number)
{
  for (std::string state; state != "S"; std::this_thread::yield()) {
    std::string skip;
    std::ifstream(fmt::format("/proc/self/task/{}/stat", number.load())) >> skip >> skip >> state;
  }
  REQUIRE(::pthread_kill(thread, SIGUSR1) == 0);
  while (signals == 0)
    std::this_thread::yield();
}

}  // namespace

TEST_CASE("A file is read from its beginning to its end")
{
  const TemporaryFile file;
  file.write(0, "0123456789");
  const auto input = Input::open(file.path(), {});
  CHECK(input->name() == file.path());
  CHECK(input->file() == input->stored_in());
  CHECK(read_text(*input, 4) == "0123");
  CHECK(input->offset() == 4);
  CHECK(read_text(*input, 100) == "456789");
  CHECK(input->offset() == 10);
  CHECK(read_text(*input, 100).empty());
}

TEST_CASE("A file that becomes shorter while it is read has no end that can be told from damage")
{
  const TemporaryFile file;
  file.resize(10'000);
  const auto input = Input::open(file.path(), DiskFormat::raw);
  CHECK(read_text(*input, 100).size() == 100);
  file.resize(5000);
  CHECK_THROWS_AS(read_text(*input, 10'000), std::system_error);
}

TEST_CASE("A pipe gives what is there, and ends")
{
  Pipe pipe;
  const Redirected redirected(pipe.read_end.get());
  const auto input = Input::open("-", {});
  CHECK(input->name() == "standard input");
  CHECK_FALSE(input->file());
  CHECK_FALSE(input->stored_in());
  REQUIRE(::write(pipe.write_end.get(), "hello", 5) == 5);
  CHECK(read_text(*input, 3) == "hel");
  CHECK(read_text(*input, 100) == "lo");
  pipe.write_end = FileDescriptor();
  CHECK(read_text(*input, 100).empty());
  CHECK(input->offset() == 5);
}

TEST_CASE("Of a file that is standard input it is known which one it is")
{
  const TemporaryFile file;
  file.write(0, "0123456789");
  const FileDescriptor fd(::open(file.path().c_str(), O_RDONLY | O_CLOEXEC));
  const Redirected redirected(fd.get());
  const auto input = Input::open("-", {});
  CHECK_FALSE(input->file());
  REQUIRE(input->stored_in());
  CHECK(input->stored_in()->size_bytes() == 10);
  CHECK(read_text(*input, 100) == "0123456789");
}

TEST_CASE("Standard input that cannot be read is an error")
{
  const TemporaryFile file;
  const FileDescriptor fd(::open(file.path().c_str(), O_WRONLY | O_CLOEXEC));
  const Redirected redirected(fd.get());
  CHECK_THROWS_WITH(read_text(*Input::open("-", {}), 100), ContainsSubstring("standard input: read at byte 0"));
  const FileDescriptor folder(::open("/", O_RDONLY | O_CLOEXEC));
  const Redirected no_file(folder.get());
  CHECK_THROWS_WITH(read_text(*Input::open("-", {}), 100), ContainsSubstring("read at byte 0: Is a directory"));
  ::close(STDIN_FILENO);
  CHECK_THROWS_WITH(read_text(*Input::open("-", {}), 100), ContainsSubstring("read at byte 0: Bad file descriptor"));
}

TEST_CASE("A signal while a pipe is empty is no end, and one that asks to stop ends the wait")
{
  Pipe pipe;
  const Redirected redirected(pipe.read_end.get());
  const auto input = Input::open("-", {});
  const std::atomic<bool> stopped = true;
  CHECK_THROWS_AS(read_text(*input, 100, stopped), Stopped);
  stop_by_signal = false;
  for (const bool stops : {false, true}) {
    const OnSignal on_signal(stops ? stop_work : count_signal);
    std::atomic<pid_t> number = 0;
    std::string text;
    std::thread reader([&] {
      number = ::gettid();
      try {
        text = read_text(*input, 100, stop_by_signal);
      } catch (const Stopped&) {
        text = "stopped";
      }
    });
    interrupt(reader.native_handle(), number);
    if (!stops)
      CHECK(::write(pipe.write_end.get(), "hello", 5) == 5);
    reader.join();
    CHECK(text == (stops ? "stopped" : "hello"));
  }
}
