// SPDX-License-Identifier: BSD-3-Clause
#include "core/source/compression.h"

#include <array>

namespace gptgrow {

namespace {

struct PackedMagic {
  Compression compression;
  std::string_view bytes;
};

constexpr std::array<PackedMagic, 6> kPackedMagics{{
    {Compression::gzip, "\x1f\x8b\x08"},
    {Compression::bzip2, "BZh"},
    {Compression::xz, std::string_view("\xfd"
                                       "7zXZ\0",
                                       6)},
    {Compression::zstd, "\x28\xb5\x2f\xfd"},
    {Compression::zstd, "\x50\x2a\x4d\x18"},  // a skippable frame, as pzstd begins
    {Compression::lz4, "\x04\x22\x4d\x18"},
}};

}  // namespace

std::string_view name_of(Compression compression)
{
  switch (compression) {
  case Compression::gzip: return "gzip";
  case Compression::bzip2: return "bzip2";
  case Compression::xz: return "xz";
  case Compression::zstd: return "zstd";
  case Compression::lz4: return "lz4";
  case Compression::none: break;
  }
  return "raw";
}

Compression compression_of(std::span<const std::byte> head)
{
  const std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
  for (const PackedMagic& magic : kPackedMagics)
    if (text.starts_with(magic.bytes))
      return magic.compression;
  return Compression::none;
}

}  // namespace gptgrow
