// SPDX-License-Identifier: BSD-3-Clause
#include "core/target/contents.h"

#include "core/text.h"

#include <blkid/blkid.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <system_error>

#include <sys/stat.h>

namespace gptgrow {

namespace {

constexpr std::uint64_t kBlkidSectorBytes = 512;  // of partition places, whatever the disk's sectors are
constexpr int kMaxSignatures = 256;

struct Free {
  void operator()(blkid_probe probe) const { blkid_free_probe(probe); }
};
using Probe = std::unique_ptr<std::remove_pointer_t<blkid_probe>, Free>;

Probe make_probe(int fd, ByteRange range)
{
  Probe probe(blkid_new_probe());
  if (!probe || blkid_probe_set_device(probe.get(), fd, static_cast<blkid_loff_t>(range.offset),
                                       static_cast<blkid_loff_t>(range.size)) != 0)
    throw std::system_error(probe ? errno : ENOMEM, std::generic_category(), "libblkid");
  return probe;
}

/// Text from a disk, as it is safe on a terminal.
std::string safe_text(const char* text)
{
  std::string safe(4 * std::string_view(text).size() + 1, '\0');
  if (blkid_safe_string(text, safe.data(), safe.size()) != 0)
    return "";
  // Control characters are safe to libblkid.
  return escaped(safe.c_str());
}

std::string value_of(blkid_probe probe, const char* name)
{
  const char* value = nullptr;
  return blkid_probe_lookup_value(probe, name, &value, nullptr) == 0 ? safe_text(value) : "";
}

/// Every signature in `range`, the strongest first: each that is found is hidden, and the search goes on.
std::vector<Signature> signatures_in(int fd, ByteRange range)
{
  const Probe probe = make_probe(fd, range);
  blkid_probe_enable_superblocks(probe.get(), 1);
  blkid_probe_set_superblocks_flags(probe.get(), BLKID_SUBLKS_TYPE | BLKID_SUBLKS_LABEL | BLKID_SUBLKS_VERSION |
                                                     BLKID_SUBLKS_MAGIC | BLKID_SUBLKS_BADCSUM);
  std::vector<Signature> result;
  while (result.size() < kMaxSignatures && blkid_do_probe(probe.get()) == 0) {
    const char* offset = nullptr;
    std::size_t size = 0;
    if (blkid_probe_lookup_value(probe.get(), "SBMAGIC_OFFSET", &offset, nullptr) != 0 ||
        blkid_probe_lookup_value(probe.get(), "SBMAGIC", nullptr, &size) != 0 || size == 0)
      continue;
    const std::uint64_t place = std::strtoull(offset, nullptr, 10);
    result.push_back({{range.offset + place, size},
                      value_of(probe.get(), "TYPE"),
                      value_of(probe.get(), "LABEL"),
                      value_of(probe.get(), "VERSION")});
    if (blkid_probe_hide_range(probe.get(), place, size) != 0 || blkid_probe_step_back(probe.get()) != 0)
      break;
  }
  return result;
}

}  // namespace

Inside what_is_in(const FileSource& disk, ByteRange range, ByteRange longer)
{
  const std::vector<Signature> found = signatures_in(disk.fd(), range);
  if (found.empty())
    return {};
  const Signature& first = found.front();
  const std::vector<Signature> later = range == longer ? found : signatures_in(disk.fd(), longer);
  const bool is_still_found = std::ranges::any_of(
      later, [&](const Signature& other) { return other.type == first.type && other.range == first.range; });
  return {first.type, first.version, !is_still_found};
}

Contents contents_of(const FileSource& disk, std::uint32_t sector_size_bytes)
{
  const std::uint64_t size_bytes = disk.size_bytes();
  Contents contents;
  const auto add = [&](ByteRange range) {
    const auto found = signatures_in(disk.fd(), range);
    contents.signatures.insert(contents.signatures.end(), found.begin(), found.end());
    return found.empty() ? Signature() : found.front();
  };
  contents.type = add({0, size_bytes}).type;

  const Probe probe = make_probe(disk.fd(), {0, size_bytes});
  blkid_probe_enable_superblocks(probe.get(), 0);
  blkid_probe_enable_partitions(probe.get(), 1);
  if (!disk.is_block_device())
    blkid_probe_set_sectorsize(probe.get(), sector_size_bytes);
  const blkid_partlist list = blkid_probe_get_partitions(probe.get());
  const blkid_parttable table = list ? blkid_partlist_get_table(list) : nullptr;
  if (!table)
    return contents;
  contents.table_type = blkid_parttable_get_type(table);
  for (int i = 0; i < blkid_partlist_numof_partitions(list); ++i) {
    const blkid_partition partition = blkid_partlist_get_partition(list, i);
    const blkid_loff_t start = blkid_partition_get_start(partition), size = blkid_partition_get_size(partition);
    if (start <= 0 || size <= 0 || static_cast<std::uint64_t>(start) >= size_bytes / kBlkidSectorBytes ||
        blkid_partition_is_extended(partition))
      continue;
    const std::uint64_t offset = static_cast<std::uint64_t>(start) * kBlkidSectorBytes;
    const std::uint64_t sectors = std::min(static_cast<std::uint64_t>(size), size_bytes / kBlkidSectorBytes);
    const ByteRange range = clip({offset, sectors * kBlkidSectorBytes}, size_bytes);
    const Signature content = add(range);
    const char* name = blkid_partition_get_name(partition);
    contents.partitions.push_back({blkid_partition_get_partno(partition), range, content.type,
                                   !content.label.empty() || !name ? content.label : safe_text(name)});
  }
  return contents;
}

}  // namespace gptgrow
