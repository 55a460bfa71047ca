// SPDX-License-Identifier: BSD-3-Clause
#include "core/source/file_source.h"
#include "core/source/looks_like.h"
#include "tests/unit/found_tables.h"
#include "tests/unit/temporary_file.h"

#include <fmt/format.h>

using namespace gptgrow;

namespace {

struct Text {
  std::size_t at;
  std::string_view bytes;
};

/// Of a file of `size` bytes: zeros, and these.
Bytes file_with(std::initializer_list<Text> texts, std::size_t size = 256 * 1024)
{
  Bytes file(size);
  for (const Text& text : texts) {
    file.resize(std::max(file.size(), text.at + text.bytes.size()));
    std::ranges::copy(std::as_bytes(std::span(text.bytes)), file.begin() + static_cast<std::ptrdiff_t>(text.at));
  }
  file.resize(size);
  return file;
}

std::string sentence(std::initializer_list<Text> texts, std::size_t size = 256 * 1024)
{
  return looks_like(MemorySource(file_with(texts, size)));
}

using namespace std::string_view_literals;

constexpr Text kExt{1024 + 56, "\x53\xef"}, kSwap{4086, "SWAPSPACE2"}, kSwapVersion{1024, "\1\0\0\0\x3f"sv};

}  // namespace

TEST_CASE("A disk of another form is to be converted, an archive to be unpacked, by the first bytes")
{
  struct Known {
    Text text;
    std::string_view what;
    bool is_disk;
  };
  for (const auto& [text, what, is_disk] : {
           Known{{0, "QFI\xfb"}, "a qcow2 disk", true},
           Known{{0, "KDMV"}, "a VMDK disk", true},
           Known{{0, "COWD"}, "a VMDK disk", true},
           Known{{0, "# Disk DescriptorFile"}, "the descriptor of a VMDK disk", true},
           Known{{0, "vhdxfile"}, "a VHDX disk", true},
           Known{{0, "conectix"}, "a VHD disk", true},
           Known{{64, "\x7f\x10\xda\xbe"}, "a VDI disk", true},
           Known{{257, "ustar"}, "a tar archive", false},
           Known{{0, "PK\x03\x04"}, "a zip archive", false},
           Known{{0, "7z\xbc\xaf\x27\x1c"}, "a 7z archive", false},
           Known{{0, "Rar!"}, "a rar archive", false},
       }) {
    CHECK(sentence({text}) == fmt::format("it looks like {}: {}", what,
                                          is_disk ? "qemu-img convert -O raw makes a raw image of it"
                                                  : "take the image of the disk out of it"));
    // Neither a byte later, nor without its last one.
    CHECK_THAT(sentence({{text.at + 1, text.bytes}}), !ContainsSubstring(std::string(what)));
    CHECK_THAT(sentence({text}, text.at + text.bytes.size() - 1), !ContainsSubstring(std::string(what)));
  }
  CHECK(sentence({{0, "\x1f\x8b\x08"}}) ==
        "it looks like gzip data: restore and verify read it as it is; for all else, unpack it to a file");
}

TEST_CASE("Nothing, and nothing but zeros, is said to be that; what nobody knows is nothing at all")
{
  CHECK(looks_like(MemorySource(Bytes())) == "it is empty");
  CHECK(sentence({}, 1) == "its first 1 bytes are zeros");
  CHECK(sentence({}, 1000) == "its first 1000 bytes are zeros");
  CHECK(sentence({}, kRecognizedBytes + 512) == "its first 1048576 bytes are zeros");
  CHECK(sentence({{kRecognizedBytes, "x"}}, kRecognizedBytes + 512) == "its first 1048576 bytes are zeros");
  CHECK(sentence({{kRecognizedBytes - 1, "x"}}, kRecognizedBytes + 512).empty());
  CHECK(sentence({{100, "some text"}}).empty());
  CHECK(sentence({{0, "x"}}, 1).empty());
}

TEST_CASE("What fills a whole disk is told by its kind")
{
  CHECK(sentence({kExt}) ==
        "it looks like a single ext2 file system, as a partition holds it: an image of the whole disk is needed");
  CHECK_THAT(sentence({kSwap, kSwapVersion}),
             ContainsSubstring("it looks like a single swap volume, as a partition holds it"));
  CHECK_THAT(sentence({{32768, "\1CD001\1"}}), ContainsSubstring("an image of a CD or DVD (iso9660)"));
  CHECK_THAT(sentence({{0, "LUKS\xba\xbe\0\1"sv}}), ContainsSubstring("an encrypted container (LUKS): open it first"));
}

TEST_CASE("A disk with a table of another kind is told")
{
  // A record of type 0x83, from LBA 64 on, 100 sectors.
  const Text record{446, "\0\0\0\0\x83\0\0\0\x40\0\0\0\x64\0\0\0"sv}, signature{510, "\x55\xaa"};
  CHECK_THAT(sentence({record, signature}), ContainsSubstring("a disk with an MBR partition table and no GPT"));
  const Text map{512, "PM\0\0\0\0\0\2\0\0\0\1\0\0\0\1"sv}, driver{0, "ER\2\0\0\0\2\0"sv};
  CHECK_THAT(sentence({driver, map}), ContainsSubstring("a disk with a partition table of type mac, not a GPT"));
  // A GPT is for others to judge.
  CHECK(looks_like(MemorySource(two_partitions().bytes())).empty());
}

TEST_CASE("A file is looked at as a whole, and what is no file by its beginning")
{
  const TemporaryFile file;
  file.resize(4 << 20);
  // The superblock of ZFS stands behind the beginning, that of RAID 1.0 at the end.
  const auto md = [](std::uint64_t at) {
    Bytes block(256);
    put_field<std::uint32_t>(block, 0, 0xa92b4efc);
    put_field<std::uint32_t>(block, 4, 1);
    put_field<std::uint64_t>(block, 144, at / 512);
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < block.size(); i += 4)
      sum += get_field<std::uint32_t>(block, i);
    put_field<std::uint32_t>(block, 216, static_cast<std::uint32_t>(sum + (sum >> 32)));
    return std::string(reinterpret_cast<const char*>(block.data()), block.size());
  };
  const std::uint64_t end = (4 << 20) - 8192;
  file.write(end, md(end));
  CHECK_THAT(looks_like(FileSource(file.path())), ContainsSubstring("a single linux_raid_member volume"));
  Bytes bytes(4 << 20);
  FileSource(file.path()).read(0, bytes);
  CHECK(looks_like(MemorySource(bytes)) == "its first 1048576 bytes are zeros");
}

TEST_CASE("What lies somewhere inside a file is looked at by its own beginning")
{
  class Inside : public MemorySource {
  public:
    Inside(Bytes bytes, int fd) : MemorySource(std::move(bytes)), file_{fd, 512} {}
    std::optional<FileRange> file_range(ByteRange) const override { return file_; }

  private:
    FileRange file_;
  };
  const TemporaryFile file;
  file.resize(kRecognizedBytes);
  file.write(32768, "\1CD001\1");
  CHECK_THAT(looks_like(FileSource(file.path())), ContainsSubstring("(iso9660)"));
  const FileSource source(file.path());
  CHECK(looks_like(Inside(file_with({kExt}), source.fd())).find("ext2") != std::string::npos);
}
