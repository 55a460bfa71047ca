// SPDX-License-Identifier: BSD-3-Clause
#include "core/target/relation.h"

#include "core/source/file_source.h"
#include "tests/unit/child_process.h"
#include "tests/unit/loop_device.h"
#include "tests/unit/memory_source.h"
#include "tests/unit/temporary_file.h"
#include "tests/unit/temporary_folder.h"

#include <cstdlib>
#include <fstream>

using namespace gptgrow;

namespace {

using RelationKind = Relation::Kind;

RelationKind kind_of(const std::string& image, const std::string& target)
{
  return relation_of(FileSource(image), target).kind;
}

}  // namespace

TEST_CASE("A file is itself under any name, and has nothing to do with others beside it")
{
  const TemporaryFolder folder;
  std::ofstream(folder / "a") << "text";
  std::ofstream(folder / "b") << "text";
  std::filesystem::create_hard_link(folder / "a", folder / "hard");
  std::filesystem::create_symlink(folder / "a", folder / "soft");
  for (const char* name : {"a", "hard", "soft"})
    CHECK(kind_of(folder / "a", folder / name) == RelationKind::same);
  for (const char* name : {"b", "new", "nowhere/new"})
    CHECK(kind_of(folder / "a", folder / name) == RelationKind::none);
  CHECK(relation_of(MemorySource({}), folder / "a").kind == RelationKind::none);
  CHECK(relation_of(FileSource(folder / "a"), folder / "b").unseen.empty());
}

TEST_CASE("Of a disk in several files, each counts")
{
  const TemporaryFolder folder;
  for (const char* name : {"a", "b", "c"})
    std::ofstream(folder / name) << "text";
  const FileSource a(folder / "a"), b(folder / "b");
  class InTwoFiles : public MemorySource {
  public:
    InTwoFiles(const Source& one, const Source& two) : MemorySource({}), files_{&one, &two} {}
    std::vector<const Source*> stored_in() const override { return files_; }

  private:
    std::vector<const Source*> files_;
  };
  const InTwoFiles image(a, b);
  CHECK(relation_of(image, folder / "a").kind == RelationKind::same);
  CHECK(relation_of(image, folder / "b").kind == RelationKind::same);
  CHECK(relation_of(image, folder / "c").kind == RelationKind::none);
}

TEST_CASE("A loop device and its file are the same, also one over a part of it")
{
  const TemporaryFile file, other;
  file.resize(1 << 20);
  other.resize(1 << 20);
  const auto loop = LoopDevice::over(file.path());
  if (!loop)
    return;
  CHECK(kind_of(file.path(), loop->path()) == RelationKind::same);
  CHECK(kind_of(loop->path(), file.path()) == RelationKind::same);
  CHECK(kind_of(loop->path(), loop->path()) == RelationKind::same);
  CHECK(kind_of(other.path(), loop->path()) == RelationKind::none);
}

TEST_CASE("What is in a file system lies on its disk, and on the file below that")
{
  const TemporaryFile disk;
  disk.resize(4 << 20);
  const auto loop = LoopDevice::over(disk.path());
  if (!loop)
    return;
  const TemporaryFolder where;
  const std::string said = with_own_mounts([&]() -> std::string {
    if (!make_and_mount(loop->path(), where.path()))
      return "not tried";
    const std::string file = where / "file", new_file = where / "new";
    std::ofstream(file) << "text";
    for (const std::string& below : {loop->path(), disk.path()}) {
      if (kind_of(file, below) != RelationKind::image_on_target)
        return "image on " + below;
      if (kind_of(below, file) != RelationKind::target_on_image ||
          kind_of(below, new_file) != RelationKind::target_on_image)
        return "target on " + below;
    }
    return kind_of(file, new_file) == RelationKind::none ? "" : "two files of one disk";
  });
  CHECK((said.empty() || said == "not tried"));
}

TEST_CASE("An overlay may show the image as another file of the same size")
{
  const TemporaryFolder folder;
  const std::string said = with_own_mounts([&]() -> std::string {
    const std::string base = folder.path();
    const bool is_mounted = mount_overlay(base, [&] {
      for (const char* name : {"/lower/file", "/lower/twin"})
        std::ofstream(base + name) << "text";
      std::ofstream(base + "/lower/longer") << "longer text";
    });
    if (!is_mounted)
      return "not tried";
    const FileSource image(base + "/lower/file");
    const auto unseen = relation_of(image, base + "/both/file").unseen;
    if (unseen.size() != 1 || unseen.front().find("an overlay may show one file as two") == std::string::npos)
      return "not told";
    if (!relation_of(image, base + "/both/longer").unseen.empty() ||
        !relation_of(image, base + "/lower/longer").unseen.empty())
      return "told of another file";
    return relation_of(FileSource(base + "/both/file"), base + "/both/twin").unseen.empty() ? "" : "told of one mount";
  });
  CHECK((said.empty() || said == "not tried"));
}
