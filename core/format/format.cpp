// SPDX-License-Identifier: BSD-3-Clause
#include "core/format/format.h"

#include "core/error.h"
#include "core/gpt/header.h"

#include <algorithm>
#include <array>

namespace gptgrow {

namespace {

struct NamedFormat {
  DiskFormat format;
  std::string_view name;
};

constexpr std::array kNamedFormats{
    NamedFormat{DiskFormat::raw, "raw"},   NamedFormat{DiskFormat::qcow2, "qcow2"},
    NamedFormat{DiskFormat::vmdk, "vmdk"}, NamedFormat{DiskFormat::vhdx, "vhdx"},
    NamedFormat{DiskFormat::vdi, "vdi"},   NamedFormat{DiskFormat::vhd, "vhd"},
};

struct FormatMagic {
  DiskFormat format;
  std::size_t offset;
  std::string_view bytes;
};

// COWD is a VMDK too, of a kind that is refused.
constexpr std::array kFormatMagics{
    FormatMagic{DiskFormat::qcow2, 0, "QFI\xfb"},
    FormatMagic{DiskFormat::vmdk, 0, "KDMV"},
    FormatMagic{DiskFormat::vmdk, 0, "COWD"},
    FormatMagic{DiskFormat::vmdk, 0, "# Disk DescriptorFile"},
    FormatMagic{DiskFormat::vhdx, 0, "vhdxfile"},
    FormatMagic{DiskFormat::vhd, 0, "conectix"},
    FormatMagic{DiskFormat::vdi, 64, "\x7f\x10\xda\xbe"},
};

constexpr std::size_t kHeadBytes = 2 * 4096;  // with the primary header, for sectors of either size

}  // namespace

std::string_view name_of(DiskFormat format)
{
  return std::ranges::find(kNamedFormats, format, &NamedFormat::format)->name;
}

DiskFormat parse_format(std::string_view text)
{
  const auto* const found = std::ranges::find(kNamedFormats, text, &NamedFormat::name);
  if (found == kNamedFormats.end())
    refuse("format: \"{}\", expected raw, qcow2, vmdk, vhdx, vdi or vhd", text);
  return found->format;
}

DiskFormat format_of(const Source& file)
{
  const std::vector<std::byte> head = read_bytes(file, clip({0, kHeadBytes}, file.size_bytes()));
  if (has_valid_header(head))
    return DiskFormat::raw;
  const std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
  for (const FormatMagic& magic : kFormatMagics)
    if (text.size() > magic.offset && text.substr(magic.offset).starts_with(magic.bytes))
      return magic.format;
  return DiskFormat::raw;
}

}  // namespace gptgrow
