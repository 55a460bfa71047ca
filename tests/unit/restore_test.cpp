// SPDX-License-Identifier: BSD-3-Clause
#include "core/restore/restore.h"

#include "core/error.h"
#include "core/restore/unfinished_mark.h"
#include "core/source/file_source.h"
#include "core/target/chunk.h"
#include "tests/unit/packed_image.h"
#include "tests/unit/redirected.h"
#include "tests/unit/temporary_folder.h"
#include "tests/unit/watched_source.h"

#include <fstream>
#include <system_error>
#include <thread>

using namespace gptgrow;

namespace {

constexpr std::uint64_t kRestoredBytes = 16'000 * 512;
constexpr std::uint64_t kLong = 12'000;               // sectors: not all of it is on its way at once
constexpr std::uint64_t kWritten = 11 * kChunkBytes;  // of a stream: no less, and some of it is on the target

TestDisk restored_table(std::uint64_t sectors = 1000)
{
  TestDisk disk = two_partitions();
  disk.sectors = disk.disk_end = sectors;
  return disk;
}

struct Restoring {
  explicit Restoring(std::uint64_t sectors = 1000)
      : image(std::make_shared<WatchedSource>(restored_table(sectors).bytes()))
  {
  }

  std::shared_ptr<WatchedSource> image;
  TemporaryFolder folder;
  RestoreOptions options{.reading = {},
                         .size = WantedSize{kRestoredBytes},
                         .target = folder / "target",
                         .free_space = FreeSpace::zero,
                         .map_path = folder / "map"};
  Monitor monitor;

  bool has(const std::string& name) const { return std::filesystem::exists(folder / name); }
  void make(const std::string& name, std::uint64_t size) const
  {
    std::ofstream(folder / name) << std::string(4096, 'o');
    std::filesystem::resize_file(folder / name, size);
  }
  std::vector<std::byte> target(ByteRange range) const { return read_bytes(FileSource(options.target), range); }
  void check_complete(const Disk& disk) const
  {
    CHECK((target({0, kRestoredBytes}) == read_bytes(disk, {0, kRestoredBytes})));
    CHECK_FALSE(has("map"));
  }
};

std::string refusal_of(const std::shared_ptr<const Source>& image, const RestoreOptions& options)
{
  try {
    const Restore restore(image, options);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("A new file, and one that is full of something else, become the disk")
{
  for (const bool is_new : {true, false}) {
    Restoring fixture;
    if (!is_new) {
      auto old = two_partitions();
      old.sectors = old.disk_end = kRestoredBytes / 512;
      std::ofstream(fixture.options.target).write(reinterpret_cast<const char*>(old.bytes().data()), kRestoredBytes);
      fixture.options.size.reset();
    }
    Restore restore(fixture.image, fixture.options);
    CHECK(restore.makes_file() == is_new);
    CHECK(restore.contents().table_type == (is_new ? "" : "gpt"));
    CHECK_FALSE(restore.resumes());
    CHECK(restore.state() == Restore::State::untouched);
    CHECK(restore.run(fixture.monitor));
    CHECK(restore.state() == Restore::State::complete);
    CHECK(restore.notes().empty());
    CHECK_FALSE(restore.checksums());
    CHECK(fixture.monitor.phase == Monitor::Phase::writing_table);
    fixture.check_complete(restore.disk());

    restore.withdraw_table();
    CHECK(restore.state() == Restore::State::incomplete);
    CHECK_FALSE(unfinished_id(fixture.target({512, 512})).empty());
    CHECK(is_zero(fixture.target({kRestoredBytes - 512, 512})));
  }
}

TEST_CASE("What cannot be restored so is refused before anything is written")
{
  Restoring fixture;
  const auto refused = [&](const std::string& why, auto change) {
    RestoreOptions options = fixture.options;
    change(options);
    CHECK_THAT(refusal_of(fixture.image, options), ContainsSubstring(why));
    CHECK(fixture.folder.is_empty());
  };
  refused("no such file or device", [](auto& options) { options.size.reset(); });
  refused("target: is ", [](auto& options) { options.map_path = options.target; });
  refused("image: is ", [](auto& options) { options.map_path = "image"; });
  fixture.options.map_path = fixture.folder / "nowhere/map";
  CHECK_THROWS_AS(Restore(fixture.image, fixture.options), std::system_error);

  fixture.options.map_path.clear();
  fixture.make("target", kRestoredBytes + 512);
  CHECK_THAT(refusal_of(fixture.image, fixture.options), ContainsSubstring("what exists keeps its size"));
  fixture.options.size.reset();
  CHECK(refusal_of(std::make_shared<FileSource>(fixture.options.target), fixture.options) ==
        fmt::format("{0}: is the image itself, {0}, or a part of it", fixture.options.target));
  fixture.make("target", 1000);
  CHECK_THAT(refusal_of(fixture.image, fixture.options), !ContainsSubstring("what exists keeps"));
  CHECK(fixture.target({0, 4}) == std::vector<std::byte>(4, std::byte{'o'}));
}

TEST_CASE("Stopped before it begins, a restore leaves everything as it was")
{
  for (const bool is_new : {true, false}) {
    Restoring fixture;
    if (!is_new)
      fixture.make("target", kRestoredBytes);
    fixture.monitor.stop = true;
    Restore restore(fixture.image, fixture.options);
    CHECK_FALSE(restore.run(fixture.monitor));
    CHECK(restore.state() == Restore::State::untouched);
    CHECK(fixture.has("target") != is_new);
    CHECK_FALSE(fixture.has("map"));
    if (!is_new)
      CHECK(fixture.target({0, 4096}) == std::vector<std::byte>(4096, std::byte{'o'}));
  }
}

TEST_CASE("Stopped in its data, a restore goes on from its map, and not from that of another image")
{
  Restoring fixture(kLong);
  std::string id;
  {
    Restore restore(fixture.image, fixture.options);
    fixture.image->before_read = [&](ByteRange) {
      fixture.monitor.stop = fixture.monitor.phase == Monitor::Phase::copying;
    };
    CHECK_FALSE(restore.run(fixture.monitor));
    CHECK(restore.state() == Restore::State::incomplete);
    id = unfinished_id(fixture.target({512, 512}));
    CHECK_FALSE(id.empty());
  }
  fixture.image->before_read = [](ByteRange) {};
  fixture.options.size.reset();
  auto other = restored_table(kLong);
  other.header_tail = 1;
  other.entries.pop_back();
  CHECK_THAT(refusal_of(in_memory(other.bytes()), fixture.options), ContainsSubstring("is the map of another restore"));

  fixture.monitor.stop = false;
  Restore restore(fixture.image, fixture.options);
  CHECK(restore.resumes());
  CHECK(restore.earlier_bytes() > 0);
  CHECK(restore.run(fixture.monitor));
  fixture.check_complete(restore.disk());
}

TEST_CASE("From a map of nothing there is nothing to go on from")
{
  Restoring fixture;
  save_map(fixture.options.map_path,
           ProgressMap({"0B2F5A1C-1111-4222-8333-444455556666", "another image", kRestoredBytes, 7, "zero"}));
  Restore restore(fixture.image, fixture.options);
  CHECK_FALSE(restore.resumes());
  CHECK(restore.run(fixture.monitor));
  fixture.check_complete(restore.disk());
}

TEST_CASE("An image that is changed while it is copied gets no table")
{
  Restoring fixture;
  fixture.image->set_version("modified 1");
  Restore restore(fixture.image, fixture.options);
  fixture.image->set_version("modified 2");
  CHECK_THROWS_WITH(restore.run(fixture.monitor),
                    ContainsSubstring("was changed while it was copied (before: modified 1"));
  CHECK(restore.state() == Restore::State::incomplete);
  CHECK(is_zero(fixture.target({kRestoredBytes - 512, 512})));
}

TEST_CASE("A map that somebody else has removed is told, and the disk is complete")
{
  Restoring fixture;
  class Removing : public WatchedSource {
  public:
    using WatchedSource::WatchedSource;
    std::string map_path;
    std::string version() const override
    {
      ::unlink(map_path.c_str());
      return "modified 1";
    }
  };
  const auto image = std::make_shared<Removing>(restored_table().bytes());
  image->map_path = fixture.options.map_path;
  Restore restore(image, fixture.options);
  CHECK(restore.run(fixture.monitor));
  CHECK(restore.state() == Restore::State::complete);
  REQUIRE(restore.notes().size() == 1);
  CHECK_THAT(restore.notes().front(), ContainsSubstring("the map of the complete restore could not be removed"));
  fixture.check_complete(restore.disk());
}

TEST_CASE("An image that is read once is restored, goes on where it was stopped, and has checksums")
{
  Restoring fixture;
  const Packed packed(restored_table(kLong).bytes());
  const auto open = [&] { return open_stream(packed.file.path(), {}, ""); };
  {
    Restore restore(open(), fixture.options);
    CHECK(restore.run(fixture.monitor));
    CHECK(restore.state() == Restore::State::complete);
    REQUIRE(restore.checksums());
    CHECK(restore.checksums()->has(kChunkBytes));
    fixture.check_complete(restore.disk());
  }
  std::filesystem::remove(fixture.options.target);
  {
    Restore restore(open(), fixture.options);
    fixture.monitor.stop = false;
    const std::jthread stopper([&](const std::stop_token& is_over) {
      while (!is_over.stop_requested() &&
             (fixture.monitor.phase != Monitor::Phase::copying || fixture.monitor.made_bytes < kWritten))
        std::this_thread::yield();
      fixture.monitor.stop = true;
    });
    fixture.monitor.begin(Monitor::Phase::preparing, 0);
    if (restore.run(fixture.monitor))
      return;  // it was faster
    CHECK(restore.state() == Restore::State::incomplete);
  }
  fixture.monitor.stop = false;
  fixture.options.size.reset();
  Restore restore(open(), fixture.options);
  CHECK(restore.resumes());
  CHECK(restore.run(fixture.monitor));
  fixture.check_complete(restore.disk());
}

TEST_CASE("An image that cannot be read again has no map, and is restored without one")
{
  Restoring fixture;
  const Packed packed(restored_table().bytes());
  for (const bool has_map : {true, false}) {
    const FileDescriptor fd(::open(packed.file.path().c_str(), O_RDONLY | O_CLOEXEC));
    const Redirected redirected(fd.get());
    const auto stream = open_stream("-", {}, "");
    if (has_map) {
      CHECK_THROWS_WITH(Restore(stream, fixture.options), ContainsSubstring("standard input cannot be read again"));
      fixture.options.map_path.clear();
    } else {
      Restore restore(stream, fixture.options);
      CHECK(restore.run(fixture.monitor));
      CHECK(fixture.monitor.total_bytes == 0);
      fixture.check_complete(restore.disk());
    }
  }
}

TEST_CASE("An image that is read once, and turns out to be no disk of this size, is refused without a table")
{
  Restoring fixture;
  auto bytes = restored_table().bytes();
  bytes.resize(300 * 512);
  const Packed packed(bytes);
  Restore restore(open_stream(packed.file.path(), {}, ""), fixture.options);
  CHECK_THROWS_AS(restore.run(fixture.monitor), Error);
  CHECK(restore.is_image_refused());
  CHECK(restore.state() == Restore::State::incomplete);
  CHECK(is_zero(fixture.target({kRestoredBytes - 512, 512})));
}
