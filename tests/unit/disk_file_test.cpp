// SPDX-License-Identifier: BSD-3-Clause
// VMDKs of several files, read by a real QEMU, or refused before it is started.
#include "core/format/disk_file.h"
#include "tests/unit/header_bytes.h"

#include <filesystem>
#include <fstream>
#include <system_error>

#include <stdlib.h>
#include <sys/resource.h>

using namespace gptgrow;

namespace {

/// A folder that goes away with this object, and a descriptor in it.
class Vmdk {
public:
  explicit Vmdk(std::string_view extents) : folder_(std::filesystem::temp_directory_path() / "gptgrow-XXXXXX")
  {
    std::string path = folder_;
    if (!::mkdtemp(path.data()))
      throw std::runtime_error("mkdtemp " + path);
    folder_ = path;
    put("disk.vmdk",
        fmt::format("# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType=\"{}\"\n{}\n",
                    "twoGbMaxExtentFlat", extents));
  }
  Vmdk(const Vmdk&) = delete;
  ~Vmdk() { std::filesystem::remove_all(folder_); }

  std::filesystem::path file(std::string_view name) const { return folder_ / name; }
  void put(std::string_view name, std::string_view bytes) const { std::ofstream(file(name)) << bytes; }

  std::shared_ptr<const FileSource> descriptor() const
  {
    return std::make_shared<const FileSource>(file("disk.vmdk").string());
  }
  std::shared_ptr<const Source> open() const { return open_disk_file(descriptor(), DiskFormat::vmdk); }

  std::string refused() const
  {
    try {
      (void)open();
    } catch (const std::exception& error) {
      return error.what();
    }
    return kTaken;
  }

private:
  std::filesystem::path folder_;
};

constexpr const char* kFlat = "RW 8 FLAT \"a.vmdk\" 0\nRDONLY 4 FLAT \"b.vmdk\" 2";

std::string sectors(std::size_t count, char first)
{
  std::string bytes;
  for (std::size_t i = 0; i < count; ++i)
    bytes += std::string(512, static_cast<char>(first + i));
  return bytes;
}

}  // namespace

TEST_CASE("A disk in several files is read in the order of its descriptor, and lies in all of them")
{
  const Vmdk vmdk(kFlat);
  vmdk.put("a.vmdk", sectors(8, 'a'));
  vmdk.put("b.vmdk", sectors(6, 'A'));
  const auto disk = vmdk.open();
  REQUIRE(disk->size_bytes() == 12 * 512);
  Bytes wanted(12 * 512);
  put_text(wanted, 0, sectors(8, 'a') + sectors(4, 'C'));
  CHECK(read_bytes(*disk, {0, 12 * 512}) == wanted);
  std::vector<std::string> names;
  for (const Source* source : disk->stored_in())
    names.push_back(source->name());
  CHECK(names ==
        std::vector{vmdk.file("disk.vmdk").string(), vmdk.file("a.vmdk").string(), vmdk.file("b.vmdk").string()});
  CHECK(disk->modified());
  CHECK_NOTHROW(disk->share());
  // Another byte of any of them may be another disk.
  for (const char* name : {"disk.vmdk", "a.vmdk", "b.vmdk"}) {
    const std::string version = disk->version();
    CHECK(version != "");
    CHECK(version == disk->version());
    std::filesystem::last_write_time(vmdk.file(name), std::filesystem::file_time_type());
    CHECK(version != disk->version());
  }
}

TEST_CASE("An extent of a VMDK is a regular file beside its descriptor, named once, and all there")
{
  const auto refused = [](const auto& prepare, std::string_view extents = kFlat) {
    const Vmdk vmdk(extents);
    vmdk.put("a.vmdk", sectors(8, 'a'));
    vmdk.put("b.vmdk", sectors(6, 'A'));
    prepare(vmdk);
    return vmdk.refused();
  };
  namespace fs = std::filesystem;
  CHECK_THAT(refused([](const Vmdk& vmdk) { fs::remove(vmdk.file("b.vmdk")); }),
             ContainsSubstring("/b.vmdk: VMDK extent: No such file"));
  CHECK_THAT(refused([](const Vmdk& vmdk) {
               fs::rename(vmdk.file("b.vmdk"), vmdk.file("c.vmdk"));
               fs::create_symlink("c.vmdk", vmdk.file("b.vmdk"));
             }),
             ContainsSubstring("/b.vmdk: VMDK extent: a symbolic link, expected a file in the same folder"));
  CHECK_THAT(refused([](const Vmdk& vmdk) {
               fs::remove(vmdk.file("b.vmdk"));
               fs::create_directory(vmdk.file("b.vmdk"));
             }),
             ContainsSubstring("/b.vmdk: VMDK extent: expected a regular file"));
  CHECK_THAT(refused([](const Vmdk& vmdk) { fs::resize_file(vmdk.file("b.vmdk"), 6 * 512 - 1); }),
             ContainsSubstring("/b.vmdk: VMDK extent: sectors 2 to 5, expected inside the file of 5 sectors"));
  const auto nothing = [](const Vmdk&) {};
  CHECK_THAT(refused(nothing, "RW 8 SPARSE \"a.vmdk\""),
             ContainsSubstring("/a.vmdk: VMDK header: magicNumber \"aaaa\""));
  // What QEMU locks it cannot have twice; a flat file can be.
  CHECK(refused(nothing, "RW 2 FLAT \"a.vmdk\" 0\nRW 6 FLAT \"a.vmdk\" 2") == kTaken);
  CHECK_THAT(refused(nothing, "NOACCESS 8 FLAT \"a.vmdk\" 0"), ContainsSubstring("line 6"));
}

TEST_CASE("The folder of a VMDK is looked up by the descriptor that is open, and has to be there")
{
  const Vmdk vmdk(kFlat);
  const auto descriptor = vmdk.descriptor();
  std::filesystem::remove_all(vmdk.file("disk.vmdk").parent_path());
  CHECK_THROWS_AS(open_disk_file(descriptor, DiskFormat::vmdk), std::system_error);
}

TEST_CASE("A limit of open files that is high enough stays as it is, and a lower one is raised for the extents")
{
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const Vmdk vmdk("RW 8 FLAT \"a.vmdk\" 0");
  vmdk.put("a.vmdk", sectors(8, 'a'));
  const auto limit_after = [&](rlim_t limit) {
    const rlimit changed{std::min(limit, before.rlim_max), before.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &changed) == 0);
    (void)vmdk.open();
    rlimit after{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &after) == 0);
    return after.rlim_cur;
  };
  CHECK(limit_after(256) == std::min<rlim_t>(8192, before.rlim_max));
  CHECK(limit_after(8192) == std::min<rlim_t>(8192, before.rlim_max));
  CHECK(limit_after(9000) == std::min<rlim_t>(9000, before.rlim_max));
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
}

TEST_CASE("Each format is refused by its own header, before QEMU is started")
{
  const Vmdk vmdk("RW 8 FLAT \"a.vmdk\" 0");
  for (const auto& [format, words] :
       {std::pair{DiskFormat::qcow2, "disk.vmdk: qcow2 header: magic"},
        std::pair{DiskFormat::vdi, "disk.vmdk: VDI header: "}, std::pair{DiskFormat::vhd, "disk.vmdk: VHD footer: "},
        std::pair{DiskFormat::vhdx, "disk.vmdk: VHDX file identifier: signature"}})
    CHECK_THROWS_WITH(open_disk_file(vmdk.descriptor(), format), ContainsSubstring(words));
}
