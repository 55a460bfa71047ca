// SPDX-License-Identifier: BSD-3-Clause
#include "core/source/compression.h"
#include "tests/unit/catch2.h"

using namespace gptgrow;

namespace {

std::span<const std::byte> head_of(std::string_view text)
{
  return std::as_bytes(std::span(text));
}

}  // namespace

TEST_CASE("A packed file is known by its first bytes, all of them, and has the name of its packer")
{
  using namespace std::string_view_literals;
  struct Packed {
    Compression compression;
    std::string_view bytes, name;
  };
  for (const auto& [compression, bytes, name] : {
           Packed{Compression::gzip, "\x1f\x8b\x08"sv, "gzip"},
           Packed{Compression::bzip2, "BZh"sv, "bzip2"},
           Packed{Compression::xz, "\xfd\x37zXZ\0"sv, "xz"},
           Packed{Compression::zstd, "\x28\xb5\x2f\xfd"sv, "zstd"},
           Packed{Compression::zstd, "\x50\x2a\x4d\x18"sv, "zstd"},
           Packed{Compression::lz4, "\x04\x22\x4d\x18"sv, "lz4"},
       }) {
    CAPTURE(name);
    CHECK(name_of(compression) == name);
    CHECK(compression_of(head_of(bytes)) == compression);
    CHECK(compression_of(head_of(std::string(bytes) + "more")) == compression);
    CHECK(compression_of(head_of(bytes.substr(0, bytes.size() - 1))) == Compression::none);
    CHECK(compression_of(head_of(' ' + std::string(bytes))) == Compression::none);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      std::string other(bytes);
      other[i] = static_cast<char>(other[i] ^ 0x40);
      CHECK(compression_of(head_of(other)) == Compression::none);
    }
  }
  CHECK(name_of(Compression::none) == "raw");
}

TEST_CASE("What no packer made has no compression")
{
  CHECK(compression_of(head_of("")) == Compression::none);
  CHECK(compression_of(head_of("EFI PART")) == Compression::none);
}
