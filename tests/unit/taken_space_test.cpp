// SPDX-License-Identifier: BSD-3-Clause
#include "core/target/taken_space.h"

#include "tests/unit/catch2.h"
#include "tests/unit/temporary_folder.h"

#include <system_error>

#include <sys/stat.h>

using namespace gptgrow;

namespace {

constexpr std::uint64_t kSpaceBytes = 10 << 20;

const std::atomic<bool> kKeepOn = false;

std::uint64_t space_of(const DeviceTarget& target)
{
  struct stat status {};
  REQUIRE(::fstat(target.fd(), &status) == 0);
  return static_cast<std::uint64_t>(status.st_blocks) * 512;
}

/// Whether the file system takes space in advance, as most do.
bool takes_space(const TemporaryFolder& folder)
{
  DeviceTarget probe(folder / "probe", 4096);
  return probe.allocate({0, 4096});
}

}  // namespace

TEST_CASE("The space of holes is taken in whole blocks, and given back as holes; what has data keeps it")
{
  const TemporaryFolder folder;
  if (!takes_space(folder))
    return;
  DeviceTarget target(folder / "target", kSpaceBytes);
  target.write(1 << 20, std::vector<std::byte>(1 << 20, std::byte{'x'}));
  target.flush();
  const std::uint64_t before = space_of(target);
  TakenSpace space(target);
  CHECK(space.take({{100, 5000}, {(1 << 20) - 8192, 1 << 20}, {kSpaceBytes - 10, 10}}, kKeepOn));
  // Two blocks at the beginning, two before the data, and the last one.
  CHECK(space_of(target) == before + 5 * 4096);
  CHECK(std::filesystem::file_size(folder / "target") == kSpaceBytes);
  CHECK(TakenSpace(target).take({{0, 8192}}, kKeepOn));
  CHECK(space_of(target) == before + 5 * 4096);
  space.give_back();
  CHECK(space_of(target) == before);
  CHECK(read_bytes(target, {1 << 20, 1 << 20}) == std::vector<std::byte>(1 << 20, std::byte{'x'}));
}

TEST_CASE("Nothing is taken of what is not asked for, or once the work is to stop")
{
  const TemporaryFolder folder;
  DeviceTarget target(folder / "target", kSpaceBytes);
  const std::uint64_t before = space_of(target);
  const std::atomic<bool> stop = true;
  CHECK(TakenSpace(target).take({}, kKeepOn));
  CHECK_FALSE(TakenSpace(target).take({{0, kSpaceBytes}}, stop));
  CHECK_FALSE(TakenSpace(target).take({}, stop));
  CHECK(space_of(target) == before);
}

TEST_CASE("More than there is, is known at once, and nothing of it stays taken")
{
  const TemporaryFolder folder;
  if (!takes_space(folder))
    return;
  constexpr std::uint64_t kHuge = std::uint64_t{8} << 40;
  const auto room = std::filesystem::space(folder.path());
  if (room.available > kHuge / 2)
    return;
  std::optional<DeviceTarget> target;
  try {
    target.emplace(folder / "target", kHuge);
  } catch (const std::system_error&) {
    return;  // no file can be so long here
  }
  TakenSpace space(*target);
  CHECK_THROWS_WITH(space.take({{0, kHuge}}, kKeepOn), ContainsSubstring("(8T) more, "));
  CHECK(space_of(*target) <= 8192);
  space.give_back();
  CHECK(space_of(*target) == 0);
}

TEST_CASE("Of a file with more runs than one call tells, only what is a hole is taken, and given back")
{
  const TemporaryFolder folder;
  if (!takes_space(folder))
    return;
  constexpr std::uint64_t kRuns = 300;
  DeviceTarget target(folder / "target", kRuns * 8192);
  for (std::uint64_t i = 0; i < kRuns; ++i)
    (void)target.allocate({i * 8192, 4096});
  const std::uint64_t before = space_of(target);
  TakenSpace space(target);
  CHECK(space.take({{(kRuns - 10) * 8192, 10 * 8192}}, kKeepOn));
  CHECK(space_of(target) >= before + std::uint64_t{10} * 4096);
  space.give_back();
  // Some file systems do not tell what has space and no data.
  CHECK(space_of(target) <= before);
  CHECK(space_of(target) >= before - std::uint64_t{10} * 4096);
}
