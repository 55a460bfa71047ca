// SPDX-License-Identifier: BSD-3-Clause
#include "core/compare/changes.h"

#include "core/compare/named_fields.h"
#include "core/error.h"

#include <algorithm>

namespace gptgrow {

namespace {

constexpr std::size_t kMaxBytesKept = 1024;

bool is_array(Role role)
{
  return role == Role::primary_array || role == Role::backup_array || role == Role::old_backup_array;
}

void keep(std::vector<std::byte>& kept, std::span<const std::byte> bytes)
{
  const auto first = bytes.first(std::min(bytes.size(), kMaxBytesKept));
  kept.assign(first.begin(), first.end());
}

std::string entry_words(std::span<const std::byte> bytes)
{
  if (!is_used(bytes))
    return is_zero(bytes) ? "unused, zeros" : "unused, with junk";
  const Entry entry = entry_of(bytes, 0);
  return fmt::format("LBA {}-{}, type {}, GUID {}", entry.first_lba.value, entry.last_lba.value,
                     guid_text(entry.type_guid), guid_text(entry.partition_guid));
}

/// Names the differing bytes of one structure.
class Namer {
public:
  Namer(const Structure& after, std::span<const std::byte> before, std::uint32_t entry_size_bytes,
        std::uint64_t array_size_bytes, const std::function<void(const Change&)>& use)
      : structure_(after),
        before_(before),
        entry_size_bytes_(entry_size_bytes),
        array_size_bytes_(array_size_bytes),
        use_(use)
  {
    change_.structure = name_of(after.role);
  }

  void name()
  {
    if (std::ranges::equal(before_, structure_.bytes))
      return;
    if (is_new() || is_zero(structure_.bytes))
      whole();
    else if (structure_.role == Role::mbr)
      fields(mbr_fields(structure_.bytes.size()), 0, "");
    else if (is_array(structure_.role))
      slots();
    else
      fields(header_fields(structure_.bytes.size()), 0, "");
  }

private:
  bool is_new() const
  {
    if (before_.size() < structure_.bytes.size() || (structure_.role != Role::mbr && is_zero(before_)))
      return true;
    const bool is_header = structure_.role != Role::mbr && !is_array(structure_.role);
    return is_header && !Header({before_.begin(), before_.end()}).has_signature();
  }

  std::string words(std::span<const std::byte> bytes) const
  {
    if (bytes.empty())
      return "past the end";
    if (is_zero(bytes))
      return "zeros";
    if (bytes.size() < structure_.bytes.size())
      return "past the end from the middle on";
    if (is_array(structure_.role))
      return fmt::format("{} bytes, CRC 0x{:08x}", std::min<std::uint64_t>(bytes.size(), array_size_bytes_),
                         crc32(bytes.first(std::min<std::uint64_t>(bytes.size(), array_size_bytes_))));
    const Header header({bytes.begin(), bytes.end()});
    if (structure_.role == Role::mbr || !header.has_signature())
      return fmt::format("{} bytes", bytes.size());
    return fmt::format("header with MyLBA {}, AlternateLBA {}, LastUsableLBA {}, PartitionEntryLBA {}",
                       header.my_lba().value, header.alternate_lba().value, header.last_usable_lba().value,
                       header.partition_entry_lba().value);
  }

  /// With the bytes from `at` on.
  void use(std::size_t at, std::span<const std::byte> before, std::span<const std::byte> after,
           std::string before_words, std::string after_words)
  {
    change_.range = {structure_.offset + at, after.size()};
    keep(change_.before, before);
    keep(change_.after, after);
    change_.before_words = std::move(before_words);
    change_.after_words = std::move(after_words);
    use_(change_);
  }

  void whole() { use(0, before_, structure_.bytes, words(before_), words(structure_.bytes)); }

  void add(const NamedField& field, std::size_t at, const std::string& prefix)
  {
    const auto before = before_.subspan(at + field.offset, field.size);
    const auto after = std::span(structure_.bytes).subspan(at + field.offset, field.size);
    if (std::ranges::equal(before, after))
      return;
    change_.field = prefix;
    change_.field += field.name;
    use(at + field.offset, before, after, in_words(field, before), in_words(field, after));
  }

  void fields(const std::vector<NamedField>& fields, std::size_t at, const std::string& prefix)
  {
    for (const NamedField& field : fields)
      add(field, at, prefix);
  }

  void slots()
  {
    const std::size_t size = entry_size_bytes_;
    const auto names = entry_fields(size);
    for (std::size_t at = 0; at + size <= array_size_bytes_; at += size) {
      const auto before = before_.subspan(at, size);
      const auto after = std::span(structure_.bytes).subspan(at, size);
      if (std::ranges::equal(before, after))
        continue;
      std::string slot = fmt::format("slot {}", at / size + 1);
      if (get_guid(before, 16) == get_guid(after, 16) && is_used(before) && is_used(after)) {
        fields(names, at, slot + ' ');
        continue;
      }
      change_.field = std::move(slot);
      use(at, before, after, entry_words(before), entry_words(after));
    }
    if (array_size_bytes_ < structure_.bytes.size())
      add({0, structure_.bytes.size() - array_size_bytes_, "rest of the last sector", NamedField::Format::bytes},
          array_size_bytes_, "");
  }

  const Structure& structure_;
  std::span<const std::byte> before_;
  std::uint32_t entry_size_bytes_;
  std::uint64_t array_size_bytes_;
  const std::function<void(const Change&)>& use_;
  Change change_;  // the last one
};

void name_changes(const Source& disk, const Structure& after, std::uint32_t entry_size_bytes,
                  std::uint64_t array_size_bytes, const std::function<void(const Change&)>& use)
{
  const std::vector<std::byte> before = read_bytes(disk, clip(after.range(), disk.size_bytes()));
  Namer(after, before, entry_size_bytes, array_size_bytes, use).name();
}

void sort_by_place(std::vector<Change>& changes)
{
  std::ranges::stable_sort(changes, {}, [](const Change& change) { return change.range.offset; });
}

/// What lies behind the end of the image, or of the disk: before both, all but the structures is the image's own.
void compare_ends(const Disk& disk, std::vector<Change>& changes)
{
  const Source& image = disk.image();
  Regions regions(disk.size_bytes());  // holes: behind the image
  regions.overlay({clip({0, image.size_bytes()}, disk.size_bytes()), Origin::image, 0, Role::content});
  for (const Region& region : disk.layout().regions)
    if (is_table(region.role) || is_old_backup(region.role))
      regions.overlay({region.range, Origin::own, 0, region.role});
  for (const Region& region : regions)
    if (region.origin == Origin::hole)
      changes.push_back({region.range, "grown area", "", {}, {}, "past the end", "zeros, a hole"});
  if (image.size_bytes() > disk.size_bytes())
    changes.push_back({{disk.size_bytes(), image.size_bytes() - disk.size_bytes()},
                       "cut off",
                       "",
                       {},
                       {},
                       "bytes of the image",
                       "past the end"});
}

}  // namespace

std::vector<Change> changes(const Disk& disk)
{
  std::vector<Change> result = changes(disk.image(), gpt_of(disk));
  compare_ends(disk, result);
  sort_by_place(result);
  return result;
}

std::vector<Change> changes(const Source& disk, const Gpt& gpt)
{
  std::vector<Change> result;
  std::vector<const Structure*> structures = gpt.all();
  std::ranges::sort(structures, {}, &Structure::offset);
  for (const Structure* structure : structures)
    name_changes(disk, *structure, gpt.entry_size_bytes, gpt.array_size_bytes,
                 [&](const Change& change) { result.push_back(change); });
  return result;
}

void for_each_change(const Source& disk, const Disk& wanted, const std::function<void(const Change&)>& use)
{
  auto places = table_places(wanted);
  std::ranges::sort(places, {}, [](const TablePlace& place) { return place.range.offset; });
  const Header& header = wanted.layout().primary;
  // One at a time: an array may be 16 MiB long.
  for (const TablePlace& place : places)
    name_changes(disk, read_structure(wanted, place), header.entry_size_bytes(), header.array_size_bytes(), use);
}

}  // namespace gptgrow
