// SPDX-License-Identifier: BSD-3-Clause
#include "core/restore/image_state.h"

#include "tests/unit/served_disk.h"

using namespace gptgrow;

TEST_CASE("An image of another version is another image")
{
  const auto image = in_memory(two_partitions().bytes());
  const Disk disk(image, {1000 * 512}, {});
  image->set_version("modified 1");
  const std::string before = image_identity(disk, content_state(disk));
  image->set_version("modified 2");
  CHECK(image_identity(disk, content_state(disk)) != before);
}

namespace {

constexpr std::uint64_t kSampledSectors = 100'000;  // so many that the sample has gaps

/// One byte of it may be another one.
class Changed : public MemorySource {
public:
  using MemorySource::MemorySource;

  std::optional<std::uint64_t> changed_byte;

  void read(std::uint64_t offset, std::span<std::byte> buffer) const override
  {
    MemorySource::read(offset, buffer);
    if (changed_byte && offset <= *changed_byte && *changed_byte - offset < buffer.size())
      buffer[*changed_byte - offset] ^= std::byte{1};
  }
};

}  // namespace

TEST_CASE("Without a version, the ends of an image, the heads of its partitions and blocks all over it tell a change")
{
  TestDisk table;
  table.sectors = table.disk_end = 3000;
  table.entries = {{1, 48, 60, 1}, {2, 1003, 2500, 2}};
  const auto image = std::make_shared<Changed>(table.bytes());
  image->resize(kSampledSectors * 512);
  const Disk disk(image, {kSampledSectors * 512}, {});
  const std::string before = content_state(disk);
  CHECK_THAT(before, ContainsSubstring("sample 0x"));
  CHECK(content_state(disk) == before);
  const auto is_noticed = [&](std::uint64_t place) {
    image->changed_byte = place;
    return content_state(disk) != before;
  };
  const std::uint64_t size = kSampledSectors * 512, step = size / 256, head = 1003 * 512;
  for (const std::uint64_t place : {std::uint64_t{0}, std::uint64_t{64 * 1024 - 1}, size - 64 * 1024, size - 1, head,
                                    head + 128 * 1024 - 1, step * 200 / 4096 * 4096, step * 255 / 4096 * 4096 + 4095})
    CHECK(is_noticed(place));
  // As the header says.
  CHECK_FALSE(is_noticed(step * 200 / 4096 * 4096 + 4096));
  CHECK_FALSE(is_noticed(head + 130 * 1024));
}

TEST_CASE("An image is recognized by its size, its state, and what it is")
{
  const Disk disk = served(two_partitions().bytes(), 1000 * 512);
  CHECK(image_identity(disk, "state") == "262144 bytes, state, image");
}
