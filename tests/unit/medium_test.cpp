// SPDX-License-Identifier: BSD-3-Clause
#include "core/target/medium.h"

#include "core/source/file_source.h"
#include "tests/unit/loop_device.h"
#include "tests/unit/memory_source.h"
#include "tests/unit/temporary_folder.h"

#include <fstream>

#include <sys/sysmacros.h>

using namespace gptgrow;

namespace {

struct MediumFolder {
  std::string make(const std::string& name, mode_t mode = 0600) const
  {
    const std::string path = folder / name;
    std::ofstream(path) << std::string(4096, 'x');
    REQUIRE(::chmod(path.c_str(), mode) == 0);
    return path;
  }

  TemporaryFolder folder;
};

/// A disk that lies in several files.
class InFiles : public MemorySource {
public:
  explicit InFiles(std::vector<const Source*> files) : MemorySource({}), files_(std::move(files)) {}

  std::vector<const Source*> stored_in() const override { return files_; }

private:
  std::vector<const Source*> files_;
};

}  // namespace

TEST_CASE("A file is the same under any name, and no other one is")
{
  const MediumFolder in;
  const std::string path = in.make("a");
  std::filesystem::create_hard_link(path, in.folder / "hard");
  std::filesystem::create_symlink(path, in.folder / "soft");
  const FileSource a(path), hard(in.folder / "hard"), soft(in.folder / "soft"), b(in.make("b"));
  const MemorySource memory(std::vector<std::byte>(4096));
  CHECK(same_medium(a, hard));
  CHECK(same_medium(a, soft));
  CHECK_FALSE(same_medium(a, b));
  CHECK_FALSE(same_medium(a, memory));
  CHECK_FALSE(same_medium(memory, memory));
  CHECK(same_medium(InFiles({&b, &hard}), a));
  CHECK_FALSE(same_medium(InFiles({&b, &memory}), a));
  CHECK(status_of(soft)->st_ino == status_of(a)->st_ino);
  CHECK_FALSE(status_of(memory));
  CHECK(status_of(InFiles({&b}))->st_ino == status_of(b)->st_ino);
}

TEST_CASE("A copy may be read by those who may read the original, and a disk is its owner's")
{
  const MediumFolder in;
  const auto mode_of = [&](mode_t mode) { return mode_of_copy(FileSource(in.make("a", mode))); };
  CHECK(mode_of(0666) == 0666);
  CHECK(mode_of(0644) == 0644);
  CHECK(mode_of(0640) == 0640);
  CHECK(mode_of(0755) == 0644);
  CHECK(mode_of(0600) == 0600);
  CHECK(mode_of_copy(MemorySource({})) == 0600);
  const FileSource open(in.make("b", 0666)), closed(in.make("c", 0640));
  CHECK(mode_of_copy(InFiles({&open, &closed})) == 0640);
  CHECK(mode_of_copy(InFiles({&open})) == 0666);
}

TEST_CASE("A file is told from a later one by the time of its change, and what is no file by its name")
{
  const MediumFolder in;
  const FileSource file(in.make("a"));
  CHECK_THAT(identity_of(file), ContainsSubstring("changed ") && ContainsSubstring("."));
  CHECK(identity_of(file) == identity_of(FileSource(file.name())));
  struct stat status {};
  REQUIRE(::fstat(file.fd(), &status) == 0);
  CHECK_THAT(identity_of(file), ContainsSubstring(std::to_string(status.st_ctim.tv_sec)));
  CHECK(identity_of(MemorySource({})) == "image");
}

TEST_CASE("A device that is not there has no name, and is no partition")
{
  const dev_t none = makedev(4095, 77);
  CHECK(hardware_name(none).empty());
  CHECK(device_identity(none) == ",  sectors, disk ");
  CHECK_FALSE(is_partition(none));
}

TEST_CASE("A loop device is its file, and is known by it")
{
  const MediumFolder in;
  const std::string path = in.make("a", 0644);
  const auto loop = LoopDevice::over(path);
  if (!loop)
    return;
  const FileSource file(path), device(loop->path()), other(in.make("b"));
  CHECK(same_medium(file, device));
  CHECK(same_medium(device, device));
  CHECK_FALSE(same_medium(other, device));
  CHECK(hardware_name(loop->number()) == "loop device over " + path);
  CHECK(identity_of(device) == hardware_name(loop->number()));
  CHECK_THAT(device_identity(loop->number()), ContainsSubstring(path + ", 8 sectors, disk "));
  CHECK_FALSE(is_partition(loop->number()));
  CHECK(mode_of_copy(device) == 0600);
}
