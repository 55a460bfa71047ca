// SPDX-License-Identifier: BSD-3-Clause
// Each sparse file has 35 sectors: header, descriptor, grain directory (22), grain table (23), one grain of eight (27).
#include "core/format/vmdk.h"
#include "tests/unit/header_bytes.h"

using namespace gptgrow;

namespace {

constexpr std::size_t kDirectory = 22 * 512, kGrainTable = 23 * 512, kSectors = 35;

std::string descriptor_text(std::string_view lines = "RW 8 SPARSE \"disk.vmdk\"\n")
{
  return fmt::format("# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\n"
                     "createType=\"monolithicSparse\"\n\n# Extent description\n{}\nddb.adapterType = \"ide\"\n",
                     lines);
}

Bytes sparse()
{
  Bytes file(kSectors * 512);
  put_text(file, 0, "KDMV");
  put_little<std::uint32_t>(file, 4, 1);
  put_little<std::uint64_t>(file, 12, 8);
  put_little<std::uint64_t>(file, 20, 8);
  put_little<std::uint64_t>(file, 28, 1);
  put_little<std::uint64_t>(file, 36, 20);
  put_little<std::uint32_t>(file, 44, 512);
  put_little<std::uint64_t>(file, 56, kDirectory / 512);
  put_text(file, 512, descriptor_text());
  put_little<std::uint32_t>(file, kDirectory, kGrainTable / 512);
  put_little<std::uint32_t>(file, kGrainTable, 27);
  return file;
}

void check_alone(const Source& file)
{
  check_vmdk_sparse(file, nullptr);
}

template <typename T>
std::string vmdk_with(std::size_t at, T value, Bytes file = sparse())
{
  put_little<T>(file, at, value);
  return said(check_alone, std::move(file));
}

std::vector<VmdkExtent> extents_of(const std::string& text)
{
  Bytes file(text.size());
  put_text(file, 0, text);
  return read_vmdk_descriptor(MemorySource(std::move(file)));
}

std::string refused(const std::string& text)
{
  try {
    (void)extents_of(text);
  } catch (const Error& error) {
    return error.what();
  }
  return kTaken;
}

}  // namespace

TEST_CASE("A descriptor of a VMDK is known by its first line")
{
  const auto is = [](std::string_view text) {
    Bytes file(text.size());
    put_text(file, 0, text);
    return is_vmdk_descriptor(MemorySource(std::move(file)));
  };
  CHECK(is("# Disk DescriptorFile"));
  CHECK(is(descriptor_text()));
  for (const char* other : {"", "# Disk DescriptorFil", "# disk DescriptorFile\n", "KDMV"})
    CHECK_FALSE(is(other));
}

TEST_CASE("The extents of a descriptor are taken as they are written, and read again as we write them")
{
  const auto extents = extents_of(
      descriptor_text("RW 4192256 SPARSE \"a b.vmdk\"\r\n\tRDONLY  63 FLAT \"flat.vmdk\" 128\nRW 1 VMFS plain 0\n"
                      "RW\nno setting\ntwo words = x\n# RW 5 ZERO\nencoding=\"UTF-8\nkey =\n= value\n"));
  const auto check = [](const std::vector<VmdkExtent>& found, const std::vector<std::string>& names) {
    REQUIRE(found.size() == 3);
    CHECK(std::vector{found[0].sectors, found[1].sectors, found[2].sectors} ==
          std::vector<std::uint64_t>{4192256, 63, 1});
    CHECK((found[0].is_sparse && !found[1].is_sparse && !found[2].is_sparse));
    CHECK(std::vector{found[0].file, found[1].file, found[2].file} == names);
    CHECK(std::vector{found[0].offset_sectors, found[1].offset_sectors, found[2].offset_sectors} ==
          std::vector<std::uint64_t>{0, 128, 0});
  };
  check(extents, {"a b.vmdk", "flat.vmdk", "plain"});
  check(extents_of(vmdk_descriptor(extents, {"x", "y", "z"})), {"x", "y", "z"});
  CHECK(extents_of(descriptor_text() + '\0' + "RW 9 ZERO").size() == 1);
  std::string most, more;
  for (int i = 0; i < 1024; ++i)
    most += fmt::format("RW 1 FLAT f{} 0\n", i);
  CHECK(extents_of(descriptor_text(most)).size() == 1024);
  CHECK_THAT(refused(descriptor_text(most + "RW 1 FLAT f 0\n")), ContainsSubstring("more than 1024 extents"));
}

TEST_CASE("A line of a descriptor that says something else is refused with its number")
{
  for (const char* line : {"NOACCESS 8 FLAT \"f\" 0", "RW 0 FLAT \"f\" 0", "RW -1 FLAT \"f\" 0", "RW 8x FLAT \"f\" 0",
                           "RW 99999999999999999999 FLAT \"f\" 0", "RW 17592186044416 FLAT \"f\" 0", "RW \"\" FLAT f",
                           "RW 8 FLAT \"f\" x", "RW 8 FLAT \"f\" 17592186044416"})
    CHECK_THAT(refused(descriptor_text(line)),
               ContainsSubstring("VMDK descriptor: line 8: extent \"") &&
                   ContainsSubstring("expected RW or RDONLY, a number of sectors, a kind, a file and an offset"));
  for (const char* kind : {"ZERO", "VMFSSPARSE", "SESPARSE", "flat", ""})
    CHECK_THAT(refused(descriptor_text(fmt::format("RW 8 {}", kind))),
               ContainsSubstring(fmt::format("line 8: extent of kind {}, expected FLAT, VMFS or SPARSE", kind)));
  for (const char* name : {"/etc/passwd", "../f", "a/b", "a\\b", ".", "..", "", "nbd://host/"})
    CHECK_THAT(
        refused(descriptor_text(fmt::format("RW 8 FLAT \"{}\" 0", name))),
        ContainsSubstring(fmt::format("line 8: extent \"{}\", expected the name of a file in the same folder", name)));
  for (const char* text : {"parentCID=12345678", "parentCID =\"ffffffFf\"", "parentCID="})
    CHECK_THAT(refused(descriptor_text(text)), ContainsSubstring("expected ffffffff: it has what differs"));
  CHECK_THAT(refused(descriptor_text("parentCID=FFFFFFFF")), ContainsSubstring("no extent"));
  CHECK_THAT(refused(descriptor_text("parentFileNameHint=\"/x\"")), ContainsSubstring("parentFileNameHint \"/x\""));
  CHECK_THAT(refused(descriptor_text("encryption.keySafe = x")), ContainsSubstring("encryption.keySafe: encrypted"));
  for (const char* type : {"", "fullDevice", "monolithicsparse"})
    CHECK_THAT(refused(descriptor_text(fmt::format("createType=\"{}\"", type))),
               ContainsSubstring(fmt::format("createType \"{}\", expected monolithicSparse, ", type)));
  CHECK_THAT(refused("# Disk"), ContainsSubstring("line 1: \"# Disk\", expected \"# Disk DescriptorFile\""));
  CHECK(refused(descriptor_text() + std::string((1 << 20) - descriptor_text().size(), '#')) == kTaken);
  CHECK_THAT(refused(descriptor_text() + std::string(1 << 20, '#')), ContainsSubstring("expected up to 1048576"));
}

TEST_CASE("A sparse VMDK is taken, and none that is cut off anywhere")
{
  CHECK(said(check_alone, sparse()) == kTaken);
  check_refused_when_cut(check_alone, sparse(), 512);
}

TEST_CASE("A field of a sparse VMDK's header is taken up to its limits, and what is beyond is named")
{
  CHECK_THAT(vmdk_with<std::uint32_t>(0, 0x44574f43), ContainsSubstring("magicNumber \"COWD\", expected \"KDMV\""));
  CHECK_THAT(vmdk_with<std::uint32_t>(0, 0x58585858), ContainsSubstring("magicNumber \"XXXX\""));
  for (const std::uint32_t version : {1U, 2U, 3U})
    CHECK(vmdk_with(4, version) == kTaken);
  for (const std::uint32_t version : {0U, 4U})
    CHECK_THAT(vmdk_with(4, version), ContainsSubstring(fmt::format("version {}, expected 1 to 3", version)));
  CHECK_THAT(vmdk_with<std::uint64_t>(12, 0), ContainsSubstring("capacity 0, expected the size of the disk"));
  for (const std::uint64_t capacity : {std::uint64_t{1} << 44, UINT64_MAX})
    CHECK_THAT(vmdk_with(12, capacity),
               ContainsSubstring(fmt::format("capacity {}, expected up to 17592186044415", capacity)));
  CHECK_THAT(vmdk_with<std::uint64_t>(12, (std::uint64_t{1} << 44) - 1),
             ContainsSubstring("expected up to 268435456 sectors"));
  for (const std::uint64_t grain : {0U, 3U, 12U, 4096U})
    CHECK_THAT(vmdk_with(20, grain), ContainsSubstring(fmt::format("grainSize {}, expected a power of 2", grain)));
  for (const std::uint64_t grain : {1U, 8U})
    CHECK(vmdk_with(20, grain) == kTaken);
  for (const std::uint32_t count : {0U, 513U})
    CHECK_THAT(vmdk_with(44, count), ContainsSubstring(fmt::format("numGTEsPerGT {}, expected 1 to 512", count)));
  for (const std::uint64_t place : {std::uint64_t{kSectors}, UINT64_MAX - 1})
    CHECK_THAT(vmdk_with(56, place),
               ContainsSubstring(fmt::format("gdOffset {}, expected inside the file of 35", place)));
}

TEST_CASE("Each grain of a sparse VMDK lies inside the file; one that is not there, or zeros, lies nowhere")
{
  for (const std::uint32_t place : {0U, 1U, 27U})
    CHECK(vmdk_with(kGrainTable, place) == kTaken);
  for (const std::uint32_t place : {28U, UINT32_MAX})
    CHECK_THAT(vmdk_with(kGrainTable, place),
               ContainsSubstring(
                   fmt::format("a grain at sectors {} to {}, expected inside", place, std::uint64_t{place} + 7)));
  Bytes compressed = sparse();
  put_little<std::uint32_t>(compressed, 8, 1 << 16);
  CHECK(vmdk_with<std::uint32_t>(kGrainTable, 34, compressed) == kTaken);
  CHECK_THAT(vmdk_with<std::uint32_t>(kGrainTable, 35, compressed), ContainsSubstring("a grain at sectors 35 to 35"));
  CHECK(vmdk_with<std::uint32_t>(kDirectory, 0) == kTaken);
  CHECK_THAT(vmdk_with<std::uint32_t>(kDirectory, 32), ContainsSubstring("VMDK grain table: bytes"));
}

TEST_CASE("The header that counts stands at the end of a VMDK where the first one says so")
{
  Bytes file = sparse();
  file.resize(37 * 512);
  std::copy_n(file.begin(), 512, file.begin() + 35 * 512);
  put_little<std::uint64_t>(file, 56, UINT64_MAX);
  CHECK(said(check_alone, file) == kTaken);
  CHECK_THAT(vmdk_with<std::uint32_t>(35 * 512, 0, file), ContainsSubstring("VMDK footer: magicNumber"));
  CHECK_THAT(vmdk_with<std::uint32_t>(35 * 512 + 4, 7, file), ContainsSubstring("VMDK footer: version 7"));
  CHECK_THAT(vmdk_with<std::uint64_t>(35 * 512 + 12, 0, file), ContainsSubstring("VMDK footer: capacity 0"));
}

TEST_CASE("A sparse VMDK has a descriptor of itself in it, or another file's that lists it")
{
  CHECK_THAT(vmdk_with<std::uint64_t>(28, 0), ContainsSubstring("descriptorOffset 0, expected a descriptor"));
  for (const std::uint64_t place : {std::uint64_t{36}, UINT64_MAX})
    CHECK_THAT(vmdk_with(28, place), ContainsSubstring(fmt::format("descriptorOffset {}, descriptorSize 20", place)));
  CHECK_THAT(vmdk_with<std::uint64_t>(28, 30), ContainsSubstring("VMDK descriptor: bytes"));
  CHECK_THAT(vmdk_with<std::uint64_t>(36, 2049), ContainsSubstring("descriptorSize 2049"));
  Bytes two = sparse();
  put_text(two, 512, descriptor_text("RW 8 SPARSE \"a\"\nRW 8 SPARSE \"b\"\n"));
  CHECK_THAT(said(check_alone, two), ContainsSubstring("a descriptor of several extents inside one of them"));
  for (const std::size_t at : {std::size_t{1000}, std::size_t{20 * 512 - 18}}) {
    Bytes parent = sparse();
    put_text(parent, 512 + at, "parentFileNameHint");
    CHECK_THAT(said(check_alone, parent), ContainsSubstring("parentFileNameHint, expected none"));
  }

  VmdkExtent extent{8, true, "s001.vmdk", 0};
  const auto as_extent = [&](Bytes file) {
    return said([&](const Source& source) { check_vmdk_sparse(source, &extent); }, std::move(file));
  };
  CHECK(as_extent(sparse()) == kTaken);
  CHECK(as_extent(two) == kTaken);
  Bytes without = sparse();
  put_little<std::uint64_t>(without, 28, 0);
  CHECK(as_extent(without) == kTaken);
  extent.sectors = 9;
  CHECK_THAT(as_extent(sparse()), ContainsSubstring("capacity 8, expected 9 sectors, as the descriptor says"));
}

TEST_CASE("A flat extent of a VMDK is all inside its file")
{
  const auto flat = [](std::uint64_t offset, std::uint64_t sectors, std::uint64_t size_bytes) {
    return said([&](const Source& file) { check_vmdk_flat(file, {sectors, false, "f", offset}); }, {}, size_bytes);
  };
  CHECK(flat(0, 8, 4096) == kTaken);
  CHECK(flat(3, 5, 4096) == kTaken);
  CHECK_THAT(flat(0, 8, 4095), ContainsSubstring("sectors 0 to 7, expected inside the file of 7 sectors"));
  CHECK_THAT(flat(4, 5, 4096), ContainsSubstring("sectors 4 to 8, expected inside the file of 8 sectors"));
}
