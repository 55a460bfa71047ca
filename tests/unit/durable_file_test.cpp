// SPDX-License-Identifier: BSD-3-Clause
#include "core/target/durable_file.h"

#include "core/error.h"
#include "tests/unit/limit.h"
#include "tests/unit/temporary_folder.h"

#include <system_error>

#include <sys/stat.h>

using namespace gptgrow;

namespace {

int error_of(auto call)
{
  try {
    call();
  } catch (const std::system_error& e) {
    return e.code().value();
  }
  return 0;
}

std::string text_of(const std::string& path)
{
  return read_file(path, 1 << 20);
}

}  // namespace

TEST_CASE("A new file is written once, and never over another one")
{
  const TemporaryFolder folder;
  CHECK(write_new_file(folder / "a", "one"));
  CHECK_FALSE(write_new_file(folder / "a", "two"));
  CHECK(text_of(folder / "a") == "one");
  struct stat status {};
  REQUIRE(::stat((folder / "a").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  CHECK(error_of([&] { write_new_file(folder / "nowhere/a", ""); }) == ENOENT);
}

TEST_CASE("A file is replaced as a whole, and nothing else is left of it")
{
  const TemporaryFolder folder;
  replace_file(folder / "a", "one");
  replace_file(folder / "a", "");
  replace_file(folder / "a", "three");
  CHECK(text_of(folder / "a") == "three");
  remove_file(folder / "a");
  CHECK(folder.is_empty());
  CHECK(error_of([&] { replace_file(folder / "nowhere/a", ""); }) == ENOENT);
  std::filesystem::create_directory(folder / "b");
  CHECK(error_of([&] { replace_file(folder / "b", "text"); }) == EISDIR);
  std::filesystem::remove(folder / "b");
  CHECK(folder.is_empty());
}

TEST_CASE("What cannot be written whole leaves no file, and what was there before")
{
  const TemporaryFolder folder;
  const std::string long_text(5000, 'x');
  replace_file(folder / "a", "old");
  {
    const FileSizeLimit limit(4096);
    CHECK(error_of([&] { write_new_file(folder / "b", long_text); }) == EFBIG);
    CHECK(error_of([&] { replace_file(folder / "a", long_text); }) == EFBIG);
  }
  CHECK_FALSE(exists(folder / "b"));
  CHECK(text_of(folder / "a") == "old");
  remove_file(folder / "a");
  CHECK(folder.is_empty());
}

TEST_CASE("Where descriptors run out, what was there stays whole")
{
  const TemporaryFolder folder;
  replace_file(folder / "a", "old");
  CHECK(for_each_lack_of_descriptors<std::system_error>([&] { replace_file(folder / "a", "new"); }) == 2);
  CHECK(text_of(folder / "a") == "new");
  CHECK(for_each_lack_of_descriptors<std::system_error>([&] { (void)write_new_file(folder / "a", ""); }) == 1);
  CHECK(for_each_lack_of_descriptors<std::system_error>([&] { remove_if_possible(folder / "a"); }) == 0);
  CHECK(folder.is_empty());
}

TEST_CASE("A file is removed, and one that is not there is an error only for who insists")
{
  const TemporaryFolder folder;
  CHECK(error_of([&] { remove_file(folder / "a"); }) == ENOENT);
  CHECK_NOTHROW(remove_if_possible(folder / "a"));
  CHECK(error_of([&] { sync_directory_of(folder / "nowhere/a"); }) == ENOENT);
  CHECK_NOTHROW(sync_directory_of("a"));
}

TEST_CASE("Whether something is there, under that name or another one")
{
  const TemporaryFolder folder;
  write_new_file(folder / "a", "");
  CHECK(exists(folder / "a"));
  CHECK_FALSE(exists(folder / "b"));
  CHECK(error_of([&] { exists(folder / "a/b"); }) == ENOTDIR);

  std::filesystem::create_hard_link(folder / "a", folder / "hard");
  CHECK(is_same_path(folder / "a", folder / "./x/../a"));
  CHECK(is_same_path(folder / "a", folder / "hard"));
  CHECK(is_same_path(folder / "new", folder / "new"));
  CHECK_FALSE(is_same_path(folder / "a", folder / "new"));
}

TEST_CASE("A file is read that is not too long, and nothing but a file")
{
  const TemporaryFolder folder;
  write_new_file(folder / "a", "12345");
  CHECK(read_file(folder / "a", 5) == "12345");
  CHECK_THROWS_WITH(read_file(folder / "a", 4), ContainsSubstring("5 bytes long, expected at most 4"));
  CHECK_THROWS_AS(read_file(folder.path(), 100), Error);
  CHECK(error_of([&] { read_file(folder / "b", 5); }) == ENOENT);
}
