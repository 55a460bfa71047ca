// SPDX-License-Identifier: BSD-3-Clause
#include "core/restore/transfer.h"
#include "core/source/file_source.h"
#include "tests/unit/catch2.h"
#include "tests/unit/served_disk.h"
#include "tests/unit/temporary_file.h"

#include <set>
#include <system_error>

using namespace gptgrow;

namespace {

constexpr std::uint64_t kSectors = 20000;

TestDisk large_disk()
{
  TestDisk disk;
  disk.sectors = disk.disk_end = kSectors;
  disk.entries = {{1, 48, kSectors - 40, 1}};
  return disk;
}

/// Hands out every piece of data.
class DataChunks {
public:
  explicit DataChunks(const Disk& disk) : disk_(disk) {}

  std::optional<Piece> next()
  {
    const std::uint64_t end = disk_.size_bytes();
    while (offset_ < end) {
      const Piece chunk = first_chunk(disk_.piece({offset_, end - offset_}));
      offset_ = chunk.range.end();
      if (chunk.is_data())
        return chunk;
    }
    return std::nullopt;
  }

private:
  const Disk& disk_;
  std::uint64_t offset_ = 0;
};

struct Copying {
  Copying() : disk(std::make_shared<const FileSource>(image_path()), {kSectors * 512}, {})
  {
    target_file.resize(kSectors * 512);
    target.emplace(FileSource(target_file.path(), FileDescriptor(::open(target_file.path().c_str(), O_RDWR))));
  }

  const std::string& image_path() const
  {
    const std::vector<std::byte> bytes = large_disk().bytes();
    image.write(0, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    return image.path();
  }

  std::uint64_t copy(Engine engine)
  {
    DataChunks chunks(disk);
    std::uint64_t copied = 0;
    std::set<std::uint64_t> seen;
    Transfer(disk, *target, engine)
        .copy([&] { return chunks.next(); }, [](ByteRange) { return false; },
              [&](const Piece& chunk) {
                copied += chunk.range.size;
                CHECK(seen.insert(chunk.range.offset).second);
              });
    return copied;
  }

  std::optional<std::uint64_t> compare(Engine engine)
  {
    DataChunks chunks(disk);
    return Transfer(disk, *target, engine).compare([&] { return chunks.next(); }, [](const Piece&) {});
  }

  TemporaryFile image, target_file;
  Disk disk;
  std::optional<DirectSource> target;
};

}  // namespace

TEST_CASE("What was copied is found to be the same, by either engine")
{
  Copying fixture;
  for (const Engine engine : {Engine::io_uring, Engine::threads}) {
    fixture.target_file.resize(0);
    fixture.target_file.resize(kSectors * 512);
    CHECK(fixture.compare(engine) == 48 * 512);
    CHECK(fixture.copy(engine) == (kSectors - 34 - 33) * 512);
    CHECK_FALSE(fixture.compare(engine));
  }
}

TEST_CASE("An image that is in no file is copied as well")
{
  Copying fixture;
  const Disk in_no_file = served(large_disk().bytes(), kSectors * 512);
  DataChunks chunks(in_no_file);
  Transfer(in_no_file, *fixture.target)
      .copy([&] { return chunks.next(); }, [](ByteRange) { return false; }, [](const Piece&) {});
  CHECK_FALSE(fixture.compare(Engine::threads));
}

TEST_CASE("The first of several differences is told")
{
  Copying fixture;
  fixture.copy(Engine::threads);
  for (const std::uint64_t place : {9'000'000u, 5'000'000u, 4'999'999u, 1'234'567u}) {
    fixture.target_file.write(place, "?");
    for (const Engine engine : {Engine::io_uring, Engine::threads})
      CHECK(fixture.compare(engine) == place);
  }
}

TEST_CASE("The error of one chunk ends the others")
{
  Copying fixture;
  fixture.image.resize(3'000'000);
  for (const Engine engine : {Engine::io_uring, Engine::threads})
    CHECK_THROWS_AS(fixture.copy(engine), std::system_error);
}
