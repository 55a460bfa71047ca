// SPDX-License-Identifier: BSD-3-Clause
#include "core/error.h"
#include "core/source/file_source.h"
#include "tests/unit/catch2.h"
#include "tests/unit/temporary_file.h"

#include <system_error>
#include <vector>

using namespace gptgrow;

namespace {

constexpr std::uint64_t kMiB = 1 << 20;

std::error_code code_of(auto call)
{
  try {
    call();
  } catch (const std::system_error& e) {
    return e.code();
  }
  return {};
}

}  // namespace

TEST_CASE("An image is read at any place")
{
  const TemporaryFile file;
  file.write(1000, "hello");
  const FileSource image(file.path());
  CHECK(image.size_bytes() == 1005);
  std::vector<std::byte> bytes(4);
  image.read(1001, bytes);
  CHECK(static_cast<char>(bytes[0]) == 'e');
  CHECK(static_cast<char>(bytes[3]) == 'o');
}

TEST_CASE("Holes of the file are told from data, up to the end of the range")
{
  const TemporaryFile file;
  file.resize(4 * kMiB);
  file.write(kMiB, std::string(kMiB, 'x'));
  const FileSource image(file.path());
  CHECK(image.extent({0, 4 * kMiB}).hole);
  CHECK(image.extent({0, 4 * kMiB}).size == kMiB);
  CHECK(image.extent({0, 512}).size == 512);
  CHECK_FALSE(image.extent({kMiB, 3 * kMiB}).hole);
  CHECK(image.extent({kMiB, 3 * kMiB}).size == kMiB);
  CHECK(image.extent({2 * kMiB - 1, 1}).size == 1);
  CHECK(image.extent({2 * kMiB, 2 * kMiB}).hole);
  CHECK(image.extent({2 * kMiB, 2 * kMiB}).size == 2 * kMiB);
}

TEST_CASE("A file that became shorter gives EIO, for its bytes and for its extents, and never zeros or a hole")
{
  const TemporaryFile file;
  file.resize(4 * kMiB);
  file.write(0, std::string(kMiB, 'x'));
  const FileSource image(file.path());
  file.resize(2 * kMiB);
  std::vector<std::byte> bytes(4096);
  CHECK(code_of([&] { image.read(2 * kMiB - 4096, bytes); }) == std::error_code());
  CHECK(code_of([&] { image.read(2 * kMiB - 4095, bytes); }) == std::errc::io_error);
  CHECK(code_of([&] { image.read(3 * kMiB, bytes); }) == std::errc::io_error);
  CHECK(code_of([&] { image.extent({kMiB, 3 * kMiB}); }) == std::errc::io_error);
  CHECK(code_of([&] { image.extent({3 * kMiB, kMiB}); }) == std::errc::io_error);
  CHECK(image.extent({kMiB, kMiB}).hole);
}

TEST_CASE("What is neither a file nor a block device is refused")
{
  CHECK_THROWS_WITH(FileSource("/dev/null"), ContainsSubstring("/dev/null: neither a regular file nor a block device"));
  CHECK_THROWS_WITH(FileSource("/"), ContainsSubstring("neither a regular file nor a block device"));
  CHECK(code_of([] { FileSource("/nonexistent"); }) == std::errc::no_such_file_or_directory);
}
