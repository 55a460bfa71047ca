// SPDX-License-Identifier: BSD-3-Clause
#include "core/stream/decoder.h"

#include "core/error.h"
#include "tests/unit/catch2.h"
#include "tests/unit/packed.h"

#include <algorithm>

using namespace gptgrow;

namespace {

constexpr Compression kPackers[] = {Compression::gzip, Compression::bzip2, Compression::xz, Compression::zstd,
                                    Compression::lz4};

/// Longer than any buffer on the way, and not all alike.
std::vector<std::byte> some_bytes(std::size_t size = 700'000)
{
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i)
    bytes[i] = static_cast<std::byte>(i * i / 1000 + i % 7);
  return bytes;
}

/// Gives `file` in parts of `step` bytes.
ReadMore in_steps(std::span<const std::byte> file, std::size_t step)
{
  return [=](std::span<std::byte> buffer) mutable {
    const std::size_t count = std::min({step, buffer.size(), file.size()});
    std::copy_n(file.begin(), count, buffer.begin());
    file = file.subspan(count);
    return count;
  };
}

/// All that comes out, asked for in parts of 100,000 bytes.
std::vector<std::byte> unpacked(Compression compression, std::span<const std::byte> file, std::size_t step = 100'000)
{
  const auto decoder = make_decoder(compression, "disk.img", in_steps(file, step));
  std::vector<std::byte> result, part(100'000);
  for (std::size_t count = part.size(); count == part.size();) {
    count = decoder->read(part);
    result.insert(result.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(count));
  }
  CHECK(decoder->read(part) == 0);
  return result;
}

std::vector<std::byte> operator+(std::vector<std::byte> a, const std::vector<std::byte>& b)
{
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace

TEST_CASE("What was packed comes out, however it is read")
{
  const auto bytes = some_bytes();
  CHECK(unpacked(Compression::none, bytes) == bytes);
  for (const Compression compression : kPackers) {
    CAPTURE(name_of(compression));
    const auto file = packed(compression, bytes);
    CHECK(compression_of(file) == compression);
    CHECK(unpacked(compression, file) == bytes);
    CHECK(unpacked(compression, file, 1) == bytes);
  }
}

TEST_CASE("Parts that were packed one by one are one disk; zeros behind those that may be padded are nothing")
{
  const auto first = some_bytes(300'000), second = some_bytes(5000);
  for (const Compression compression : kPackers) {
    CAPTURE(name_of(compression));
    const auto file = packed(compression, first) + packed(compression, second);
    CHECK(unpacked(compression, file) == first + second);
    if (compression == Compression::gzip || compression == Compression::xz)
      CHECK(unpacked(compression, file + std::vector<std::byte>(1024)) == first + second);
  }
}

TEST_CASE("Nothing that was packed is nothing")
{
  using namespace std::string_view_literals;
  for (const Compression compression : {Compression::gzip, Compression::bzip2, Compression::xz, Compression::zstd}) {
    CAPTURE(name_of(compression));
    CHECK(unpacked(compression, packed(compression, {})).empty());
  }
  // As lz4 has it; libarchive cannot write it.
  CHECK(unpacked(Compression::lz4, std::as_bytes(std::span("\x04\x22\x4d\x18\x64\x40\xa7\0\0\0\0\x05\x5d\xcc\x02"sv)))
            .empty());
}

TEST_CASE("A file that is cut anywhere is refused, with the place")
{
  const auto bytes = some_bytes(20'000);
  for (const Compression compression : kPackers) {
    const auto file = packed(compression, bytes);
    for (std::size_t size = 0; size < file.size(); size += file.size() / 40) {
      CAPTURE(name_of(compression), size, file.size());
      CHECK_THROWS_WITH(unpacked(compression, std::span(file).first(size)),
                        ContainsSubstring("disk.img: ") && ContainsSubstring("byte"));
    }
  }
}

TEST_CASE("A file that goes on with something else is refused")
{
  const auto bytes = some_bytes(20'000);
  const std::vector<std::byte> garbage(100, std::byte{'x'});
  for (const Compression compression : kPackers) {
    CAPTURE(name_of(compression));
    CHECK_THROWS_AS(unpacked(compression, packed(compression, bytes) + garbage), Error);
  }
}

TEST_CASE("What was packed twice is not unpacked twice")
{
  for (const Compression compression : {Compression::bzip2, Compression::xz, Compression::zstd, Compression::lz4}) {
    CAPTURE(name_of(compression));
    const auto once = packed(compression, some_bytes());
    CHECK_THROWS_WITH(unpacked(compression, packed(compression, once)), ContainsSubstring("data inside"));
  }
  const auto once = packed(Compression::gzip, some_bytes());
  CHECK(unpacked(Compression::gzip, packed(Compression::gzip, once)) == once);
}

TEST_CASE("A flipped bit of gzip data does not pass its checksum")
{
  const auto bytes = some_bytes(20'000);
  auto file = packed(Compression::gzip, bytes);
  for (std::size_t at = file.size() - 8; at < file.size(); ++at) {  // CRC32 and ISIZE
    file[at] ^= std::byte{4};
    CHECK_THROWS_WITH(unpacked(Compression::gzip, file), ContainsSubstring("damaged"));
    file[at] ^= std::byte{4};
  }
}

TEST_CASE("An error of what is read is passed on as it is")
{
  struct Broken {};
  for (const Compression compression : kPackers) {
    CAPTURE(name_of(compression));
    const auto file = packed(compression, some_bytes());
    const auto decoder = make_decoder(compression, "disk.img",
                                      [give = in_steps(file, 1000), left = 2](std::span<std::byte> buffer) mutable {
                                        return left-- > 0 ? give(buffer) : throw Broken();
                                      });
    std::vector<std::byte> all(1'000'000);
    CHECK_THROWS_AS(decoder->read(all), Broken);
  }
}
