// SPDX-License-Identifier: BSD-3-Clause
#include "core/format/vmdk.h"

#include "core/format/header_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace gptgrow {

namespace {

constexpr std::uint64_t kSectorBytes = kVmdkSectorBytes;
constexpr std::uint64_t kMaxDescriptorBytes = 1 << 20;
constexpr std::size_t kMaxExtents = 1024;  // of 2 GB
constexpr std::uint64_t kMaxSectors = kMaxDiskSizeBytes / kSectorBytes / kMaxExtents;
constexpr std::string_view kBeginsDescriptor = "# Disk DescriptorFile";
constexpr std::array<std::string_view, 6> kCreateTypes{
    "monolithicSparse", "monolithicFlat", "streamOptimized", "vmfs", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat"};

// Where QEMU looks for a parent, whatever the header says.
constexpr ByteRange kQemuDescriptor{512, 20 * kSectorBytes};

constexpr std::uint64_t kDirectoryAtEnd = ~std::uint64_t{0};
constexpr std::uint32_t kCompressed = 1 << 16;
constexpr std::uint64_t kMaxDirectoryEntries = 64 * 1024;  // 2 TB, the most that one extent can be, in tables of 32 MB

/// The words of a line; one in quotes is one, without them.
std::vector<std::string> words_of(std::string_view line)
{
  std::vector<std::string> words;
  while (true) {
    line.remove_prefix(std::min(line.find_first_not_of(" \t\r"), line.size()));
    if (line.empty())
      return words;
    const bool is_quoted = line.front() == '"';
    line.remove_prefix(is_quoted);
    const std::size_t end = std::min(is_quoted ? line.find('"') : line.find_first_of(" \t\r"), line.size());
    words.emplace_back(line.substr(0, end));
    line.remove_prefix(std::min(end + is_quoted, line.size()));
  }
}

std::optional<std::uint64_t> number(std::string_view text, std::uint64_t most)
{
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value <= most ? std::optional(value)
                                                                                   : std::nullopt;
}

/// Of "key = value" the two, without the value's quotes; else nothing.
std::optional<std::pair<std::string, std::string>> setting_of(std::string_view line)
{
  const std::size_t equals = line.find('=');
  if (equals == line.npos)
    return std::nullopt;
  const std::vector<std::string> key = words_of(line.substr(0, equals)), value = words_of(line.substr(equals + 1));
  if (key.size() != 1)
    return std::nullopt;
  return std::pair(key.front(), value.empty() ? "" : value.front());
}

/// A descriptor, line by line.
class Descriptor {
public:
  explicit Descriptor(const HeaderReader& text) : text_(text)
  {
    std::string_view rest = text.text(0, text.size());
    rest = rest.substr(0, rest.find('\0'));
    if (!rest.starts_with(kBeginsDescriptor))
      text.fail("line 1: \"{}\", expected \"{}\"", rest.substr(0, std::min(rest.find('\n'), kBeginsDescriptor.size())),
                kBeginsDescriptor);
    for (std::size_t number = 1; !rest.empty(); ++number) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      take(rest.substr(0, end), number);
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    if (std::ranges::find(kCreateTypes, create_type_) == kCreateTypes.end())
      text.fail("createType \"{}\", expected {}", create_type_, fmt::to_string(fmt::join(kCreateTypes, ", ")));
    if (extents_.empty())
      text.fail("no extent, expected one at least");
  }

  const std::vector<VmdkExtent>& extents() const { return extents_; }

private:
  void take(std::string_view line, std::size_t number)
  {
    const std::vector<std::string> words = words_of(line);
    if (words.empty() || words.front().starts_with('#'))
      return;
    if (words.size() > 1 && (words[0] == "RW" || words[0] == "RDONLY" || words[0] == "NOACCESS"))
      take_extent(words, number);
    else if (const auto setting = setting_of(line))
      take_setting(setting->first, setting->second);
  }

  void take_setting(const std::string& key, const std::string& value)
  {
    if (key == "createType")
      create_type_ = value;
    else if (key == "parentCID" && value != "ffffffff" && value != "FFFFFFFF")
      text_.fail("parentCID {}, expected ffffffff: it has what differs from a parent: {}", value, kFlatten);
    else if (key == "parentFileNameHint")
      text_.fail("parentFileNameHint \"{}\", expected none: {}", value, kFlatten);
    else if (key.starts_with("encryption"))
      text_.fail("{}: encrypted, expected not", key);
  }

  /// RW 4192256 FLAT "disk-flat.vmdk" 0
  void take_extent(const std::vector<std::string>& words, std::size_t line)
  {
    const auto sectors = number(words[1], kMaxSectors);
    const std::string kind = words.size() > 2 ? words[2] : "", file = words.size() > 3 ? words[3] : "";
    const auto offset = number(words.size() > 4 ? words[4] : "0", kMaxSectors);
    if (words[0] == "NOACCESS" || !sectors || *sectors == 0 || !offset)
      text_.fail("line {}: extent \"{} {}\", expected RW or RDONLY, a number of sectors, a kind, a file and an offset",
                 line, words[0], words[1]);
    if (kind != "FLAT" && kind != "VMFS" && kind != "SPARSE")
      text_.fail("line {}: extent of kind {}, expected FLAT, VMFS or SPARSE", line, kind);
    if (file.empty() || file == "." || file == ".." || file.find('/') != file.npos || file.find('\\') != file.npos)
      text_.fail("line {}: extent \"{}\", expected the name of a file in the same folder", line, file);
    if (extents_.size() == kMaxExtents)
      text_.fail("line {}: more than {} extents", line, kMaxExtents);
    extents_.push_back({*sectors, kind == "SPARSE", file, *offset});
  }

  const HeaderReader& text_;
  std::string create_type_;
  std::vector<VmdkExtent> extents_;
};

/// No text that QEMU could take for a parent's name.
void check_no_parent(const Source& file, ByteRange range)
{
  const HeaderReader text(file, "VMDK descriptor", clip(range, file.size_bytes()));
  if (text.text(0, text.size()).find("parentFileNameHint") != std::string_view::npos)
    text.fail("parentFileNameHint, expected none: it has what differs from a parent: {}", kFlatten);
}

HeaderReader sparse_header(const Source& file)
{
  HeaderReader header(file, "VMDK header", {0, kSectorBytes});
  if (header.text(0, 4) != "KDMV")
    header.fail("magicNumber \"{}\", expected \"KDMV\"", header.text(0, 4));
  if (header.little<std::uint64_t>(56) != kDirectoryAtEnd)
    return header;
  const std::uint64_t at = file.size_bytes() - std::min(file.size_bytes(), 2 * kSectorBytes);
  HeaderReader footer(file, "VMDK footer", {at, kSectorBytes});
  if (footer.text(0, 4) != "KDMV")
    footer.fail("magicNumber \"{}\", expected \"KDMV\": it is cut off", footer.text(0, 4));
  return footer;
}

/// Beyond the end of the file QEMU reads zeros.
void check_grains_inside(const Source& file, const HeaderReader& header)
{
  const auto capacity = header.little<std::uint64_t>(12), grain = header.little<std::uint64_t>(20);
  const auto directory = header.little<std::uint64_t>(56);
  const auto per_table = header.little<std::uint32_t>(44);
  if (capacity > kMaxSectors)
    header.fail("capacity {}, expected up to {} sectors", capacity, kMaxSectors);
  if (grain == 0 || grain > 2048 || (grain & (grain - 1)) != 0)
    header.fail("grainSize {}, expected a power of 2 up to 2048 sectors", grain);
  if (per_table == 0 || per_table > 512)
    header.fail("numGTEsPerGT {}, expected 1 to 512", per_table);
  const std::uint64_t tables = (capacity + grain * per_table - 1) / (grain * per_table);
  if (tables > kMaxDirectoryEntries)
    header.fail("capacity {}, expected up to {} sectors", capacity, kMaxDirectoryEntries * grain * per_table);
  const std::uint64_t file_sectors = (file.size_bytes() + kSectorBytes - 1) / kSectorBytes;
  if (directory >= file_sectors)
    header.fail("gdOffset {}, expected inside the file of {} sectors: it is cut off", directory, file_sectors);
  const bool is_compressed = header.little<std::uint32_t>(8) & kCompressed;
  const HeaderReader list(file, "VMDK grain directory", {directory * kSectorBytes, tables * 4});
  for (std::size_t i = 0; i < tables; ++i) {
    const std::uint64_t at = list.little<std::uint32_t>(4 * i);
    if (at == 0)
      continue;
    const HeaderReader table(file, "VMDK grain table", {at * kSectorBytes, std::uint64_t{per_table} * 4});
    for (std::size_t entry = 0; entry < per_table; ++entry) {
      const std::uint64_t first = table.little<std::uint32_t>(4 * entry), end = first + (is_compressed ? 1 : grain);
      if (first > 1 && end > file_sectors)  // 1: zeros
        table.fail("a grain at sectors {} to {}, expected inside the file of {} sectors: it is cut off", first, end - 1,
                   file_sectors);
    }
  }
}

}  // namespace

bool is_vmdk_descriptor(const Source& file)
{
  const HeaderReader begin(file, "VMDK", clip({0, kBeginsDescriptor.size()}, file.size_bytes()));
  return begin.text(0, begin.size()) == kBeginsDescriptor;
}

std::vector<VmdkExtent> read_vmdk_descriptor(const Source& file)
{
  if (file.size_bytes() > kMaxDescriptorBytes)
    refuse("{}: VMDK descriptor: {} bytes, expected up to {}", file.name(), file.size_bytes(), kMaxDescriptorBytes);
  return Descriptor(HeaderReader(file, "VMDK descriptor", {0, file.size_bytes()})).extents();
}

void check_vmdk_sparse(const Source& file, const VmdkExtent* extent)
{
  const HeaderReader first(file, "VMDK header", {0, kSectorBytes});
  if (first.text(0, 4) == "COWD")
    first.fail("magicNumber \"COWD\", expected \"KDMV\": a snapshot or thin disk of an old ESXi; {}", kFlatten);
  const HeaderReader header = sparse_header(file);
  for (const HeaderReader* each : {&first, &header}) {
    const auto version = each->little<std::uint32_t>(4);
    if (version < 1 || version > 3)
      each->fail("version {}, expected 1 to 3", version);
    if (each->little<std::uint64_t>(12) == 0)
      each->fail("capacity 0, expected the size of the disk");
  }
  check_no_parent(file, kQemuDescriptor);
  const auto offset = first.little<std::uint64_t>(28), size = first.little<std::uint64_t>(36);
  if (!extent && offset == 0)
    first.fail(
        "descriptorOffset 0, expected a descriptor: it is one of several extents; name the file that lists them");
  if (offset != 0) {
    if (offset > file.size_bytes() / kSectorBytes || size > kMaxDescriptorBytes / kSectorBytes)
      first.fail("descriptorOffset {}, descriptorSize {}, expected inside the file of {} bytes", offset, size,
                 file.size_bytes());
    const ByteRange range{offset * kSectorBytes, size * kSectorBytes};
    check_no_parent(file, range);
    if (!extent && Descriptor(HeaderReader(file, "VMDK descriptor", range)).extents().size() != 1)
      first.fail("a descriptor of several extents inside one of them, expected one");
  }
  if (const auto capacity = header.little<std::uint64_t>(12); extent && capacity != extent->sectors)
    header.fail("capacity {}, expected {} sectors, as the descriptor says", capacity, extent->sectors);
  check_grains_inside(file, header);
}

void check_vmdk_flat(const Source& file, const VmdkExtent& extent)
{
  const std::uint64_t sectors = file.size_bytes() / kSectorBytes;
  if (extent.offset_sectors + extent.sectors > sectors)
    refuse("{}: VMDK extent: sectors {} to {}, expected inside the file of {} sectors: it is cut off", file.name(),
           extent.offset_sectors, extent.offset_sectors + extent.sectors - 1, sectors);
}

std::string vmdk_descriptor(const std::vector<VmdkExtent>& extents, const std::vector<std::string>& names)
{
  // Without empty lines: QEMU would take the extent behind one twice.
  std::string text = fmt::format(
      "{}\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType=\"twoGbMaxExtentSparse\"\n", kBeginsDescriptor);
  for (std::size_t i = 0; i < extents.size(); ++i)
    text += extents[i].is_sparse
                ? fmt::format("RW {} SPARSE \"{}\"\n", extents[i].sectors, names[i])
                : fmt::format("RW {} FLAT \"{}\" {}\n", extents[i].sectors, names[i], extents[i].offset_sectors);
  return text + "ddb.adapterType = \"lsilogic\"\n";
}

}  // namespace gptgrow
