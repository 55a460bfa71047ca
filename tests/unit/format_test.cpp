// SPDX-License-Identifier: BSD-3-Clause
#include "core/format/format.h"
#include "core/gpt/header.h"
#include "tests/unit/header_bytes.h"
#include "tests/unit/served_disk.h"

using namespace gptgrow;

namespace {

struct Beginning {
  DiskFormat format;
  std::size_t at;
  std::string_view bytes;
};

constexpr std::array kBeginnings{
    Beginning{DiskFormat::qcow2, 0, "QFI\xfb"},
    Beginning{DiskFormat::vmdk, 0, "KDMV"},
    Beginning{DiskFormat::vmdk, 0, "COWD"},
    Beginning{DiskFormat::vmdk, 0, "# Disk DescriptorFile"},
    Beginning{DiskFormat::vhdx, 0, "vhdxfile"},
    Beginning{DiskFormat::vhd, 0, "conectix"},
    Beginning{DiskFormat::vdi, 64, "\x7f\x10\xda\xbe"},
};

}  // namespace

TEST_CASE("Each format has the name by which it is asked for, and no other word is one")
{
  using enum DiskFormat;
  for (const DiskFormat format : {raw, qcow2, vmdk, vhdx, vdi, vhd})
    CHECK(parse_format(name_of(format)) == format);
  for (const char* text : {"", "qcow", "qcow2 ", "QCOW2", "vpc", "raw\n"})
    CHECK_THROWS_WITH(parse_format(text), ContainsSubstring("expected raw, qcow2, vmdk, vhdx, vdi or vhd"));
}

TEST_CASE("A format is known by the first bytes, all of them")
{
  for (const auto& [format, at, bytes] : kBeginnings) {
    CAPTURE(bytes);
    Bytes file(at + bytes.size());
    put_text(file, at, bytes);
    CHECK(format_of(MemorySource(file)) == format);
    file.resize(100'000);
    CHECK(format_of(MemorySource(file)) == format);
    for (std::size_t i = at; i < at + bytes.size(); ++i) {
      Bytes other = file;
      other[i] ^= std::byte{1};
      CHECK(format_of(MemorySource(other)) == DiskFormat::raw);
    }
    file.resize(at + bytes.size() - 1);
    CHECK(format_of(MemorySource(file)) == DiskFormat::raw);
  }
  CHECK(format_of(MemorySource(Bytes())) == DiskFormat::raw);
}

TEST_CASE("A disk with a GPT is raw, whatever its first bytes are, as long as its header is whole")
{
  const std::uint32_t sector_size = GENERATE(512U, 4096U);
  TestDisk disk = two_partitions();
  disk.sector_size = sector_size;
  for (const auto& [format, at, bytes] : kBeginnings) {
    Bytes image = disk.bytes();
    put_text(image, at, bytes);
    CHECK(format_of(MemorySource(image)) == DiskFormat::raw);
    image[sector_size + 20] ^= std::byte{1};
    CHECK(format_of(MemorySource(image)) == format);
  }
}
