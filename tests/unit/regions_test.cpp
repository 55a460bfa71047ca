// SPDX-License-Identifier: BSD-3-Clause
#include "core/disk/regions.h"
#include "tests/unit/catch2.h"

#include <array>
#include <random>

using namespace gptgrow;

TEST_CASE("A new disk is one hole")
{
  const Regions regions(1000);
  CHECK(std::vector<Region>(regions.begin(), regions.end()) == std::vector<Region>{{{0, 1000}, Origin::hole, 0}});
  CHECK(regions.size_bytes() == 1000);
}

TEST_CASE("An overlay splits what it lies in; image bytes keep their place in the image")
{
  Regions regions(1000);
  regions.overlay({{0, 800}, Origin::image, 5000});
  regions.overlay({{100, 50}, Origin::own, 7});
  CHECK(std::vector<Region>(regions.begin(), regions.end()) == std::vector<Region>{{{0, 100}, Origin::image, 5000},
                                                                                   {{100, 50}, Origin::own, 7},
                                                                                   {{150, 650}, Origin::image, 5150},
                                                                                   {{800, 200}, Origin::hole, 0}});
}

TEST_CASE("An overlay covers several regions, and an empty one nothing")
{
  Regions regions(1000);
  regions.overlay({{0, 400}, Origin::image, 0});
  regions.overlay({{300, 200}, Origin::own, 0});
  regions.overlay({{200, 0}, Origin::own, 0});
  regions.overlay({{100, 900}, Origin::hole, 0});
  CHECK(std::vector<Region>(regions.begin(), regions.end()) ==
        std::vector<Region>{{{0, 100}, Origin::image, 0}, {{100, 900}, Origin::hole, 0}});
}

TEST_CASE("Any overlays leave ordered, gapless regions that say of each byte what the last overlay said")
{
  constexpr std::uint64_t kSize = 64;
  std::mt19937 random(20240901);
  for (int round = 0; round < 500; ++round) {
    Regions regions(kSize);
    std::array<std::pair<Origin, std::uint64_t>, kSize> model{};
    model.fill({Origin::hole, 0});
    for (int i = 0; i < 6; ++i) {
      const std::uint64_t offset = random() % kSize, size = random() % (kSize - offset + 1);
      const auto origin = static_cast<Origin>(random() % 3);
      const std::uint64_t source_offset = origin == Origin::hole ? 0 : random() % 1000;
      regions.overlay({{offset, size}, origin, source_offset});
      for (std::uint64_t k = 0; k < size; ++k)
        model[offset + k] = {origin, origin == Origin::hole ? 0 : source_offset + k};
    }
    std::uint64_t expected_offset = 0;
    for (const Region& region : regions) {
      REQUIRE(region.range.offset == expected_offset);
      REQUIRE(region.range.size > 0);
      expected_offset = region.range.end();
    }
    REQUIRE(expected_offset == kSize);
    for (std::uint64_t offset = 0; offset < kSize; ++offset) {
      const Region& region = regions.at(offset);
      const std::uint64_t inside = region.origin == Origin::hole ? 0 : offset - region.range.offset;
      REQUIRE(region.range.offset <= offset);
      REQUIRE(offset < region.range.end());
      REQUIRE(std::pair(region.origin, region.source_offset + inside) == model[offset]);
    }
  }
}
