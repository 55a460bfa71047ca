// SPDX-License-Identifier: BSD-3-Clause
#include "core/restore/checkpoints.h"

#include "tests/unit/catch2.h"
#include "tests/unit/temporary_folder.h"

#include <system_error>

using namespace gptgrow;

namespace {

constexpr const char* kMapId = "0B2F5A1C-1111-4222-8333-444455556666";

struct CheckpointFixture {
  TemporaryFolder folder;
  std::string map_path = folder / "map";
  DeviceTarget target{folder / "target", 100'000};
  ProgressMap map{{kMapId, "image", 100'000, 7, "discard"}};
  Monitor monitor;
};

}  // namespace

TEST_CASE("What was added is in the map that is saved at the end")
{
  CheckpointFixture fixture;
  Checkpoints checkpoints(fixture.target, fixture.map_path, fixture.map, fixture.monitor);
  std::vector<std::jthread> writers;
  for (std::uint64_t i = 0; i < 4; ++i)
    writers.emplace_back([&checkpoints, i] { checkpoints.add({i * 10'000, 10'000}); });
  writers.clear();
  CHECK_FALSE(load_map(fixture.map_path));
  checkpoints.finish();
  CHECK(fixture.map.first_missing(0) == 40'000);
  const auto saved = load_map(fixture.map_path);
  REQUIRE(saved);
  CHECK(saved->identity().id == kMapId);
  CHECK(saved->first_missing(0) == 40'000);
  CHECK_FALSE(fixture.monitor.stop);
}

TEST_CASE("Without a path, nothing is saved")
{
  CheckpointFixture fixture;
  const std::string none;
  Checkpoints checkpoints(fixture.target, none, fixture.map, fixture.monitor);
  checkpoints.add({0, 512});
  checkpoints.finish();
  CHECK(fixture.map.first_missing(0) == 512);
  CHECK_FALSE(load_map(fixture.map_path));
}

TEST_CASE("A map that cannot be saved is an error of the work")
{
  CheckpointFixture fixture;
  const std::string path = fixture.folder / "nowhere/map";
  Checkpoints checkpoints(fixture.target, path, fixture.map, fixture.monitor);
  CHECK_THROWS_AS(checkpoints.finish(), std::system_error);
}

TEST_CASE("Work that ends by an exception waits for nothing")
{
  CheckpointFixture fixture;
  {
    const Checkpoints checkpoints(fixture.target, fixture.map_path, fixture.map, fixture.monitor);
  }
  CHECK_FALSE(load_map(fixture.map_path));
}
