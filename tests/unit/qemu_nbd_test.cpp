// SPDX-License-Identifier: BSD-3-Clause
#include "core/format/qemu_nbd.h"

#include "core/error.h"
#include "core/nbd/nbd_source.h"
#include "tests/unit/catch2.h"
#include "tests/unit/limit.h"
#include "tests/unit/temporary_file.h"
#include "tests/unit/temporary_folder.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <system_error>

#include <sys/stat.h>
#include <sys/wait.h>

using namespace gptgrow;

namespace {

/// A file that QEMU is given to read as `driver`.
struct ForQemu {
  ForQemu()
  {
    file.resize(1 << 20);
    file.write(5000, "hello");
  }

  std::unique_ptr<QemuNbd> make(const char* driver = "raw") const
  {
    const FileDescriptor fd(::open(file.path().c_str(), O_RDONLY | O_CLOEXEC));
    std::vector<FileDescriptor> files;
    files.push_back(for_qemu(fd.get(), "disk"));
    std::string image = fmt::format(R"({{"driver":"{}","read-only":true,"file":{{"driver":"file","filename":"{}"}}}})",
                                    driver, path_in_qemu(files.front()));
    return std::make_unique<QemuNbd>("disk", std::move(image), std::move(files));
  }

  TemporaryFile file;
};

/// Where programs are looked for, as long as this lives.
class Path {
public:
  explicit Path(const std::optional<std::string>& path)
  {
    if (path)
      ::setenv("PATH", path->c_str(), 1);
    else
      ::unsetenv("PATH");
  }
  Path(const Path&) = delete;
  ~Path() { ::setenv("PATH", before_.c_str(), 1); }

private:
  std::string before_ = std::getenv("PATH");
};

std::string hello_of(const Source& source)
{
  const std::vector<std::byte> bytes = read_bytes(source, {5000, 5});
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool has_no_children()
{
  return ::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD;
}

/// Why the disk cannot be read by a program of that name which is this script.
std::string refusal_of_program(const std::string& script, mode_t mode = 0755)
{
  const TemporaryFolder folder;
  std::ofstream(folder / "qemu-nbd") << script;
  REQUIRE(::chmod((folder / "qemu-nbd").c_str(), mode) == 0);
  const Path path(folder.path());
  try {
    const nbd::NbdSource source(ForQemu().make());
  } catch (const std::exception& e) {
    CHECK(has_no_children());
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("QEMU reads a file that it is given open, and ends with who reads it")
{
  const ForQemu image;
  {
    const nbd::NbdSource source(image.make());
    CHECK(source.size_bytes() == 1 << 20);
    CHECK(source.name() == "disk");
    CHECK(hello_of(source) == "hello");
    CHECK_FALSE(has_no_children());
    source.before_fork();
    CHECK(has_no_children());
    source.after_fork();
    CHECK(hello_of(source) == "hello");
  }
  CHECK(has_no_children());
}

TEST_CASE("What QEMU refuses is refused in its words")
{
  CHECK_THROWS_WITH(nbd::NbdSource(ForQemu().make("qcow2")),
                    ContainsSubstring("disk: qemu-nbd: ") && ContainsSubstring("qcow2"));
  CHECK(has_no_children());
  CHECK(refusal_of_program("#!/bin/sh\necho first >&2\necho 'the last' >&2\n") == "disk: the last");
  CHECK(refusal_of_program("#!/bin/sh\necho \"Failed to open '{...}': no such thing\" >&2\n") ==
        "disk: qemu-nbd: no such thing");
  CHECK_THAT(refusal_of_program("#!/bin/sh\n"), ContainsSubstring("disk: cannot connect: "));
}

TEST_CASE("QEMU is looked for in all folders of PATH, or in the usual ones")
{
  const std::string before = std::getenv("PATH");
  for (const auto& found :
       {std::optional<std::string>(), std::optional("/nonexistent:" + before), std::optional("relative::" + before)}) {
    const Path path(found);
    CHECK(hello_of(nbd::NbdSource(ForQemu().make())) == "hello");
  }
  for (const char* nowhere : {"", ":", "/nonexistent", "relative:/nonexistent:"}) {
    const Path path(nowhere);
    CHECK_THROWS_WITH(nbd::NbdSource(ForQemu().make()), ContainsSubstring("it is in the package qemu-utils"));
  }
  {
    // Not in whatever folder one happens to be.
    const TemporaryFolder folder;
    std::ofstream(folder / "qemu-nbd") << "#!/bin/sh\n";
    REQUIRE(::chmod((folder / "qemu-nbd").c_str(), 0755) == 0);
    const std::filesystem::path here = std::filesystem::current_path();
    std::filesystem::current_path(folder.path());
    const Path path(".:");
    CHECK_THROWS_WITH(nbd::NbdSource(ForQemu().make()), ContainsSubstring("it is in the package qemu-utils"));
    std::filesystem::current_path(here);
  }
  CHECK_THAT(refusal_of_program("#!/bin/sh\n", 0644), ContainsSubstring("it is in the package qemu-utils"));
  CHECK_THAT(refusal_of_program("no program"),
             ContainsSubstring("disk: qemu-nbd: cannot be started: Exec format error"));
  CHECK_THAT(refusal_of_program("#!/nonexistent\n"),
             ContainsSubstring("disk: qemu-nbd: cannot be started: No such file"));
}

TEST_CASE("Where descriptors run out, QEMU is not started, and nothing is left of it")
{
  CHECK_THROWS_WITH(for_qemu(-1, "disk"), ContainsSubstring("disk: qemu-nbd: a file: Bad file descriptor"));
  const ForQemu image;
  const std::unique_ptr<QemuNbd> qemu = image.make();
  // None is left below those that QEMU can be given.
  std::vector<FileDescriptor> low;
  do
    low.emplace_back(::dup(STDERR_FILENO));
  while (low.back().get() < 20);
  // It takes two for each of its ends, and the sockets.
  CHECK(for_each_lack_of_descriptors<std::system_error>([&] {
          qemu->stop();
          qemu->start();
        }) > 8);
  qemu->stop();
  CHECK(has_no_children());
}
