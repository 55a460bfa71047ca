// SPDX-License-Identifier: BSD-3-Clause
#include "core/stream/receiving.h"

#include "core/target/chunk.h"
#include "tests/unit/packed_image.h"

using namespace gptgrow;

TEST_CASE("What lies behind the end of the target is not written, and its end is kept")
{
  const Packed image(mostly_empty().bytes());
  Recorder target(1000 * 512);
  const auto streamed = image.received(target);
  CHECK(target.written.back().end() <= target.size_bytes());
  CHECK(read_bytes(*streamed, {4063 * 512, 33 * 512}) ==
        std::vector<std::byte>(image.disk.end() - 33 * 512, image.disk.end()));
}

namespace {

constexpr std::uint64_t kTargetBytes = 4 * kChunkBytes;

/// Says which chunks it does not take.
class Choosy : public Recorder {
public:
  using Recorder::Recorder;

  std::optional<std::uint64_t> refused_offset;

  bool write(ByteRange range, std::span<const std::byte> bytes) override
  {
    return range.offset == refused_offset ? true : Recorder::write(range, bytes);
  }
};

/// Its buffer is zeros, and so is what it gets.
class ZerosOnly : public Sink {
public:
  int calls = 0;

  std::span<std::byte> buffer() override { return buffer_; }
  bool write(ByteRange, std::span<const std::byte>) override { return false; }
  void zero(ByteRange) override { ++calls; }
  void progress(std::uint64_t, std::uint64_t) override {}
  Checksums finish() override { return {}; }

private:
  std::vector<std::byte> buffer_ = std::vector<std::byte>(kChunkBytes);
};

/// No byte is 0.
std::vector<std::byte> numbered(std::size_t size)
{
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i)
    bytes[i] = static_cast<std::byte>(1 + i % 251);
  return bytes;
}

StreamedImage::Parts receive_all(std::vector<ByteRange> held, Recorder& target, std::span<const std::byte> disk,
                                 std::uint64_t kept_behind = kChunkBytes)
{
  Receiving receiving(std::move(held), target.size_bytes(), kept_behind, target);
  std::uint64_t given = 0;
  while (receiving.step([&](std::span<std::byte> buffer) {
    const auto part = disk.subspan(given, std::min<std::uint64_t>(buffer.size(), disk.size() - given));
    std::ranges::copy(part, buffer.begin());
    given += part.size();
    return part.size();
  })) {}
  CHECK(receiving.offset() == disk.size());
  return receiving.finish();
}

/// Each is as `disk` has it.
std::vector<ByteRange> ranges_of(const std::vector<StreamedImage::Held>& held, std::span<const std::byte> disk)
{
  std::vector<ByteRange> ranges;
  for (const auto& part : held) {
    CHECK(std::ranges::equal(part.bytes, disk.subspan(part.offset, part.bytes.size())));
    ranges.push_back({part.offset, part.bytes.size()});
  }
  return ranges;
}

using Places = std::vector<ByteRange>;

}  // namespace

TEST_CASE("What is held does not get to the target, wherever it ends, and all else does")
{
  const auto disk = numbered(kTargetBytes);
  Recorder target(kTargetBytes);
  const Places held{{0, 20'000}, {kChunkBytes + 4096, 5000}, {kTargetBytes - 100, 100}};
  const auto parts = receive_all(held, target, disk);
  CHECK(parts.size_bytes == kTargetBytes);
  CHECK(ranges_of(parts.held, disk) == held);
  CHECK(parts.zeros.empty());
  std::vector<std::byte> expected = disk;
  for (const ByteRange& place : held)
    std::fill_n(expected.begin() + static_cast<std::ptrdiff_t>(place.offset), place.size, std::byte{0xa5});
  CHECK(read_bytes(target, {0, kTargetBytes}) == expected);
  for (const ByteRange& range : target.written)
    CHECK(first_chunk(range) == range);
}

TEST_CASE("A disk that ends in the middle of a chunk, or of what is held, is taken to its end")
{
  for (const std::uint64_t size : {std::uint64_t{3}, std::uint64_t{30'000}, kChunkBytes + 700, kTargetBytes - 1}) {
    CAPTURE(size);
    const auto disk = numbered(size);
    Recorder target(kTargetBytes);
    const auto parts = receive_all({{0, 20'480}, {kTargetBytes - 100, 100}}, target, disk);
    CHECK(parts.size_bytes == size);
    std::uint64_t bytes = 0;
    for (const ByteRange& range : ranges_of(parts.held, disk))
      bytes += range.size;
    for (const ByteRange& range : target.written)
      bytes += range.size;
    CHECK(bytes == size);
  }
}

TEST_CASE("Zeros are handed on as a few long runs, and are told")
{
  auto disk = numbered(kTargetBytes);
  std::fill_n(disk.begin() + kChunkBytes, 2 * kChunkBytes, std::byte{0});
  Recorder target(kTargetBytes);
  const auto parts = receive_all({}, target, disk);
  CHECK(parts.zeros == Places{{kChunkBytes, 2 * kChunkBytes}});
  CHECK(target.zeroed == parts.zeros);
  CHECK(target.written == Places{{0, kChunkBytes}, {3 * kChunkBytes, kChunkBytes}});

  // Not so long that nothing could stop between two, though they are told as one.
  constexpr std::uint64_t kLong = (64 << 20) + 2 * kChunkBytes;
  ZerosOnly long_target;
  Receiving receiving({}, kLong, kChunkBytes, long_target);
  const auto zeros = [&](std::span<std::byte> buffer) {
    return std::min<std::uint64_t>(buffer.size(), kLong - receiving.offset());
  };
  while (receiving.step(zeros)) {}
  CHECK(receiving.finish().zeros == Places{{0, kLong}});
  CHECK(long_target.calls == 2);
}

TEST_CASE("What the target does not take is kept")
{
  const auto disk = numbered(kTargetBytes);
  Choosy target(kTargetBytes);
  target.refused_offset = 2 * kChunkBytes;
  CHECK(ranges_of(receive_all({}, target, disk).held, disk) == Places{{2 * kChunkBytes, kChunkBytes}});
}

TEST_CASE("Behind the end of the target, the last bytes are kept, and those before a place to hold")
{
  const auto disk = numbered(2 * kTargetBytes + kChunkBytes);
  Recorder target(kTargetBytes);
  const auto last = ranges_of(receive_all({}, target, disk).held, disk);
  REQUIRE(last.size() == 1);
  CHECK(last[0].end() == disk.size());
  CHECK(last[0].size >= kChunkBytes);
  CHECK(last[0].size <= 2 * kChunkBytes);

  Recorder again(kTargetBytes);
  const ByteRange place{kTargetBytes + 3 * kChunkBytes + 100, 1000};
  const auto held = ranges_of(receive_all({place}, again, disk).held, disk);
  REQUIRE(held.size() == 2);
  CHECK(held[0].end() == place.end());
  CHECK(held[0].size >= kChunkBytes + place.size);
  CHECK(held[1].end() == disk.size());
}

TEST_CASE("The places that are held are those of the tables that may come, on either disk")
{
  const Packed image(mostly_empty().bytes());
  const auto stream = open_stream(image.file.path(), {}, "");
  const auto is_held = [&](std::uint64_t target_size, ByteRange range) {
    for (const ByteRange& place : places_to_hold(*stream->head(), target_size))
      if (place.offset <= range.offset && range.end() <= place.end())
        return true;
    return false;
  };
  for (const std::uint64_t size : {std::uint64_t{10 << 20}, std::uint64_t{1 << 30}}) {
    CHECK(is_held(size, {0, 34 * 512}));
    CHECK(is_held(size, {4063 * 512, 33 * 512}));
    CHECK(is_held(size, {size - 33 * 512, 33 * 512}));
    CHECK_FALSE(is_held(size, {size / 2, 512}));
  }
  CHECK(places_to_hold(*stream->head(), 4096).front() == ByteRange{0, 4096});
  CHECK(kept_behind_target(*stream->head()) == 32 * 512 + (1 << 20));
}
