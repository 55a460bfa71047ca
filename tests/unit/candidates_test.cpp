// SPDX-License-Identifier: BSD-3-Clause
#include "core/restore/candidates.h"

#include "tests/unit/loop_device.h"
#include "tests/unit/served_disk.h"
#include "tests/unit/temporary_file.h"

#include <set>

using namespace gptgrow;

namespace {

std::optional<Candidate> candidate_of(const LoopDevice& loop, const std::shared_ptr<const Source>& image)
{
  for (Candidate& candidate : candidates(image, {}))
    if (candidate.path == loop.path())
      return std::move(candidate);
  return std::nullopt;
}

}  // namespace

TEST_CASE("Each disk is listed once, with a size, and one that cannot take the image says why")
{
  std::set<std::string> paths;
  // No disk of this machine is so short.
  for (const Candidate& candidate : candidates(in_memory(std::vector<std::byte>(1024)), {})) {
    CAPTURE(candidate.path);
    CHECK(paths.insert(candidate.path).second);
    CHECK(candidate.size_bytes != 0);
    CHECK_FALSE(candidate.why_not.empty());
  }
}

TEST_CASE("A loop device is listed where it could take the image, with what it holds")
{
  const auto image = in_memory(two_partitions().bytes());
  const TemporaryFile file, other_file;
  file.resize(1 << 20);
  other_file.resize(1 << 20);
  const auto bytes = two_partitions().bytes();
  file.write(0, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  const auto loop = LoopDevice::over(file.path());
  if (!loop)
    return;
  const auto read_only = LoopDevice::over(other_file.path(), LO_FLAGS_READ_ONLY);
  REQUIRE(read_only);
  std::optional<Candidate> found;
  for (const Candidate& candidate : candidates(image, {})) {
    CHECK(candidate.path != read_only->path());
    if (candidate.path == loop->path())
      found = candidate;
  }
  REQUIRE(found);
  CHECK(found->why_not.empty());
  CHECK(found->size_bytes == 1 << 20);
  CHECK(found->contents.table_type == "gpt");
  CHECK(found->contents.partitions.size() == 2);
  CHECK(found->hardware_name == "loop device over " + file.path());
  CHECK_THAT(found->identity, ContainsSubstring("2048 sectors"));

  // Not for an image that lies on it, is too long for it, or is for sectors of another size.
  CHECK_FALSE(candidate_of(*loop, std::make_shared<FileSource>(file.path())));
  TestDisk large = two_partitions();
  large.disk_end = large.sectors = 4096;
  large.entries.push_back({4, 3000, 4000, 4});
  CHECK_FALSE(candidate_of(*loop, in_memory(large.bytes())));
  large = two_partitions();
  large.sector_size = 4096;
  large.sectors = large.disk_end = 200;
  large.first_usable_lba = 20;
  large.entries = {{1, 20, 30, 1}};
  CHECK_FALSE(candidate_of(*loop, in_memory(large.bytes())));
}
