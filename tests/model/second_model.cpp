// SPDX-License-Identifier: BSD-3-Clause
#include "tests/model/second_model.h"

#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace model {

namespace {

/// Wide enough that no sum or product of fields overflows.
__extension__ using Number = __int128;

constexpr Number kLargestDisk = INT64_MAX;
constexpr Number kLargestArray = 16 << 20;
constexpr Number kBoundary = 4096;  // what an extended partition ends on
constexpr std::size_t kMbrBytes = 512;

struct Field {
  std::size_t at, size;
};

constexpr Field kRevision{8, 4}, kHeaderSize{12, 4}, kHeaderCrc{16, 4}, kMyLba{24, 8}, kAlternateLba{32, 8},
    kFirstUsable{40, 8}, kLastUsable{48, 8}, kArrayLba{72, 8}, kCount{80, 4}, kEntrySize{84, 4}, kArrayCrc{88, 4};
constexpr Field kFirstLba{32, 8}, kLastLba{40, 8};  // of an entry

Number get(View bytes, Field field)
{
  std::uint64_t value = 0;
  for (std::size_t i = field.size; i-- > 0;)
    value = value << 8 | bytes[field.at + i];
  return value;
}

void put(std::span<std::uint8_t> bytes, Field field, Number value)
{
  for (std::size_t i = 0; i < field.size; ++i, value >>= 8)
    bytes[field.at + i] = static_cast<std::uint8_t>(value);
}

Number crc(View bytes)
{
  return static_cast<Number>(::crc32(0, bytes.data(), static_cast<uInt>(bytes.size())));
}

struct Image {
  View bytes;
  Number s;  // of a sector, in bytes

  Number size() const { return static_cast<Number>(bytes.size()); }
  Number last_lba() const { return size() / s - 1; }

  /// With zeros for what is not there.
  Bytes read(Number offset, Number count) const
  {
    Bytes result(static_cast<std::size_t>(count));
    if (const Number there = std::min(count, size() - offset); there > 0)
      std::memcpy(result.data(), bytes.data() + static_cast<std::size_t>(offset), static_cast<std::size_t>(there));
    return result;
  }

  Bytes sectors(Number lba, Number count) const { return read(lba * s, count * s); }
};

Number array_size(View header)
{
  return get(header, kCount) * get(header, kEntrySize);
}

Number array_sectors(View header)
{
  const auto s = static_cast<Number>(header.size());
  return (array_size(header) + s - 1) / s;
}

bool has_signature(View header)
{
  return std::memcmp(header.data(), "EFI PART", 8) == 0;
}

Number header_crc(View header)
{
  Bytes covered(header.begin(), header.begin() + static_cast<std::ptrdiff_t>(get(header, kHeaderSize)));
  put(covered, kHeaderCrc, 0);
  return crc(covered);
}

bool has_right_crc(View header)
{
  const Number size = get(header, kHeaderSize);
  return has_signature(header) && size >= 92 && size <= static_cast<Number>(header.size()) &&
         header_crc(header) == get(header, kHeaderCrc);
}

/// The header of a valid table at this LBA: a primary one at LBA 1, elsewhere a backup.
std::optional<Bytes> valid(const Image& image, Number lba)
{
  if (lba < 1 || lba > image.last_lba())
    return {};
  Bytes header = image.sectors(lba, 1);
  const auto field = [&](Field which) { return get(header, which); };
  const Number most = kLargestDisk / image.s - 1;
  const Number array = field(kArrayLba), size = array_size(header);
  const auto entry_size = static_cast<std::uint32_t>(field(kEntrySize));
  const bool is_header = has_right_crc(header) && field(kRevision) == 0x10000 && field(kMyLba) == lba;
  const bool is_usable =
      field(kFirstUsable) <= field(kLastUsable) && field(kLastUsable) <= most && field(kAlternateLba) <= most;
  const bool is_array = entry_size >= 128 && std::has_single_bit(entry_size) && size > 0 && size <= kLargestArray &&
                        array >= 2 && array + array_sectors(header) <= (lba == 1 ? field(kFirstUsable) : lba) &&
                        array * image.s + size <= image.size();
  if (!is_header || !is_usable || !is_array || crc(image.read(array * image.s, size)) != field(kArrayCrc))
    return {};
  return header;
}

bool equal(View a, View b, std::initializer_list<Field> fields)
{
  return std::ranges::all_of(fields, [&](Field f) { return std::equal(&a[f.at], &a[f.at] + f.size, &b[f.at]); });
}

constexpr Field kDiskGuid{56, 16};

struct Backup {
  std::optional<Bytes> header;
  bool is_one_of_two = false;  // nothing tells which
};

/// Whether an array as the backup describes it stands there.
bool array_is_at(const Image& image, View backup, Number lba)
{
  const Number size = array_size(backup);
  return lba >= 2 && lba * image.s + size <= image.size() &&
         crc(image.read(lba * image.s, size)) == get(backup, kArrayCrc);
}

/// By DiskGUID, and by the array.
std::pair<bool, bool> belongs(const Image& image, View backup)
{
  const Bytes primary = image.sectors(1, 1);
  return {equal(primary, backup, {kDiskGuid}), has_right_crc(primary)
                                                   ? equal(primary, backup, {kArrayCrc})
                                                   : array_is_at(image, backup, get(primary, kArrayLba))};
}

Backup find_backup(const Image& image)
{
  const auto backup_at = [&](Number lba) { return lba == 1 ? std::nullopt : valid(image, lba); };
  const Bytes primary = image.sectors(1, 1);
  std::optional<Bytes> last = backup_at(image.last_lba()), named;
  if (get(primary, kAlternateLba) != image.last_lba())
    named = backup_at(get(primary, kAlternateLba));
  if (!last || !named)
    return {last ? last : named};
  if (equal(*last, *named, {kDiskGuid, kCount, kEntrySize, kArrayCrc}))
    return {valid(image, 1) ? named : last};
  const auto [last_disk, last_array] = belongs(image, *last);
  const auto [named_disk, named_array] = belongs(image, *named);
  const bool for_last = last_disk >= named_disk && last_array >= named_array;
  const bool for_named = named_disk >= last_disk && named_array >= last_array;
  return for_last == for_named ? Backup{last, true} : Backup{for_last ? last : named};
}

struct Table {
  Bytes header;                 // of the primary
  Bytes array;                  // whole sectors
  std::optional<Bytes> backup;  // the header of a valid one
  Number array_lba, last_lba, backup_array_lba;
};

std::optional<Table> primary_table(const Image& image)
{
  std::optional<Bytes> header = valid(image, 1);
  if (!header)
    return {};
  const Number lba = get(*header, kArrayLba), sectors = array_sectors(*header), last = get(*header, kAlternateLba);
  Table table{*header, image.sectors(lba, sectors), {}, lba, last, last - sectors};
  const std::optional<Bytes> backup = last == 1 ? std::nullopt : valid(image, last);
  if (!backup || get(*backup, kAlternateLba) != 1 || get(*backup, kArrayLba) < lba + sectors ||
      !equal(*header, *backup, {kRevision, kFirstUsable, kLastUsable, kDiskGuid, kCount, kEntrySize, kArrayCrc}) ||
      image.read(lba * image.s, array_size(*header)) !=
          image.read(get(*backup, kArrayLba) * image.s, array_size(*header)))
    return table;
  table.backup = backup;
  table.backup_array_lba = get(*backup, kArrayLba);
  return table;
}

/// The primary is made again from the backup; its array stays where the primary has it, if that can be known.
std::optional<Table> table_from_backup(const Image& image)
{
  const Backup found = find_backup(image);
  if (!found.header || found.is_one_of_two)
    return {};
  const Bytes& backup = *found.header;
  const Number sectors = array_sectors(backup), backup_array = get(backup, kArrayLba);
  const auto fits = [&](Number lba) { return lba >= 2 && lba + sectors <= get(backup, kFirstUsable); };
  Table table{backup, image.sectors(backup_array, sectors), backup, 2, get(backup, kMyLba), backup_array};
  const Bytes primary = image.sectors(1, 1);
  if (const Number named = get(primary, kArrayLba); fits(named)) {
    const bool is_there = array_is_at(image, backup, named);
    if (is_there || has_right_crc(primary))
      table.array_lba = named;
    if (is_there)
      table.array = image.sectors(named, sectors);
  }
  if (!fits(table.array_lba) || backup_array < table.array_lba + sectors)
    return {};
  return table;
}

/// How much speaks for sectors of this size.
int credit(const Image& image)
{
  const Bytes primary = image.sectors(1, 1);
  if (valid(image, 1))
    return 5;
  const bool has_backup = find_backup(image).header.has_value();
  if (has_right_crc(primary))
    return has_backup ? 4 : 3;
  return has_backup ? 2 : has_signature(primary) ? 1 : 0;
}

std::optional<Image> image_with_sectors(View bytes, std::uint32_t wanted)
{
  std::optional<Image> best;
  for (const Number s : {512, 4096}) {
    const Image image{bytes, s};
    if ((wanted == 0 || wanted == s) && image.last_lba() >= 1 && (!best || credit(image) > credit(*best)))
      best = image;
  }
  return best;
}

struct Entry {
  Number slot, first, last;
};

std::vector<Entry> used_entries(const Table& table)
{
  std::vector<Entry> entries;
  const Number size = get(table.header, kEntrySize);
  for (Number slot = 1; slot <= get(table.header, kCount); ++slot) {
    const View entry = View(table.array).subspan(static_cast<std::size_t>((slot - 1) * size), 128);
    if (std::ranges::any_of(entry.first(16), [](std::uint8_t byte) { return byte != 0; }))
      entries.push_back({slot, get(entry, kFirstLba), get(entry, kLastLba)});
  }
  return entries;
}

/// Where the tail of the disk comes to lie.
struct Tail {
  Number delta, last_usable, array, last;
};

/// Whether a structure there would replace data of the entry: what the image's own valid backup covers is none.
bool replaces_data(const Table& table, const Entry& entry, Number first, Number count)
{
  const Number end = std::min(first + count - 1, entry.last);
  for (Number lba = std::max(first, entry.first); lba <= end; ++lba) {
    const bool is_old =
        table.backup && (lba == table.last_lba ||
                         (lba >= table.backup_array_lba && lba < table.backup_array_lba + array_sectors(table.header)));
    if (!is_old)
      return true;
  }
  return false;
}

bool fits(const Image& image, const Table& table, const Tail& tail, const Wish& wish)
{
  if (tail.last_usable < get(table.header, kFirstUsable))
    return false;
  return std::ranges::none_of(used_entries(table), [&](const Entry& entry) {
    return (!wish.allow_truncated && (entry.last + 1) * image.s > image.size()) || entry.last > tail.last ||
           (tail.delta < 0 && entry.last > tail.last_usable) ||
           replaces_data(table, entry, tail.array, array_sectors(table.header)) ||
           replaces_data(table, entry, tail.last, 1);
  });
}

/// Calls `use` with the place, the type, and the start and length of each record.
template <typename Use>
void for_each_record(View mbr, Use use)
{
  for (std::size_t at = 446; at < 510; at += 16)
    use(at, mbr[at + 4], get(mbr, {at + 8, 4}), get(mbr, {at + 12, 4}));
}

Bytes served_mbr(const Image& image, const Table& table, Number delta)
{
  Bytes mbr = image.read(0, kMbrBytes);
  for_each_record(Bytes(mbr), [&](std::size_t at, std::uint8_t type, Number start, Number size) {
    if (type == 0xee && start == 1 && start + size - 1 >= get(table.header, kLastUsable) && size != UINT32_MAX)
      put(mbr, {at + 12, 4}, std::min<Number>(size + delta, UINT32_MAX));
  });
  return mbr;
}

/// The slot, with EndingLBA as it becomes.
std::optional<Entry> extended(const Image& image, const Table& table, const Tail& tail, std::int64_t which)
{
  const std::vector<Entry> entries = used_entries(table);
  const auto end_of = [](const Entry& entry) { return std::max(entry.first, entry.last); };
  const auto found = which == kEndsLast ? std::ranges::max_element(entries, {}, &Entry::last)
                                        : std::ranges::find(entries, Number{which}, &Entry::slot);
  if (found == entries.end() || found->first > found->last)
    return {};
  Entry entry = *found;
  for (const Entry& other : entries)
    if (other.slot != entry.slot && (end_of(other) > entry.last || (which == kEndsLast && other.last == entry.last)))
      return {};
  const Number end = (tail.last_usable + 1) * image.s / kBoundary * kBoundary / image.s - 1;
  bool is_hybrid = false;
  for_each_record(image.read(0, kMbrBytes), [&](std::size_t, std::uint8_t type, Number start, Number size) {
    if (type != 0 && type != 0xee && start <= end && start + std::max<Number>(size, 1) > entry.first)
      is_hybrid = true;
  });
  if (end < std::exchange(entry.last, end) || is_hybrid)
    return {};
  return entry;
}

}  // namespace

std::optional<Served> serve(View bytes, const Wish& wish)
{
  const std::optional<Image> image = image_with_sectors(bytes, wish.sector_size_bytes);
  if (!image || wish.size_bytes % image->s != 0 || wish.size_bytes > kLargestDisk)
    return {};
  const std::optional<Table> table = wish.backup_table ? table_from_backup(*image) : primary_table(*image);
  if (!table)
    return {};
  const Number last = wish.size_bytes / image->s - 1, delta = last - table->last_lba,
               sectors = array_sectors(table->header);
  const Tail tail{delta, std::min(get(table->header, kLastUsable), table->backup_array_lba - 1) + delta,
                  table->backup_array_lba + delta, last};
  if (!fits(*image, *table, tail, wish))
    return {};

  Served disk(bytes, wish.size_bytes);
  const auto lay = [&](Number lba, Bytes piece) {
    disk.lay(static_cast<std::uint64_t>(lba * image->s), std::move(piece));
  };
  if (table->backup && delta != 0 && !wish.keep_old_backup) {
    lay(table->backup_array_lba, Bytes(static_cast<std::size_t>(sectors * image->s)));
    lay(table->last_lba, Bytes(static_cast<std::size_t>(image->s)));
  }
  Bytes arrays[] = {table->array,
                    table->backup && delta == 0 ? image->sectors(table->backup_array_lba, sectors) : table->array};
  Number array_crc = get(table->header, kArrayCrc);
  if (wish.extend != 0) {
    const std::optional<Entry> entry = extended(*image, *table, tail, wish.extend);
    if (!entry)
      return {};
    for (Bytes& array : arrays)
      put(array, {static_cast<std::size_t>((entry->slot - 1) * get(table->header, kEntrySize)) + kLastLba.at, 8},
          entry->last);
    array_crc = crc(View(arrays[0]).first(static_cast<std::size_t>(array_size(table->header))));
  }
  const auto header = [&](Bytes sector, Number my_lba, Number alternate_lba, Number array_lba) {
    put(sector, kMyLba, my_lba);
    put(sector, kAlternateLba, alternate_lba);
    put(sector, kLastUsable, tail.last_usable);
    put(sector, kArrayLba, array_lba);
    put(sector, kArrayCrc, array_crc);
    put(sector, kHeaderCrc, header_crc(sector));
    return sector;
  };
  lay(0, served_mbr(*image, *table, delta));
  lay(1, header(table->header, 1, last, table->array_lba));
  lay(table->array_lba, arrays[0]);
  lay(tail.array, arrays[1]);
  lay(last, header(table->backup.value_or(table->header), last, 1, tail.array));
  return disk;
}

void Served::read(std::uint64_t offset, std::span<std::uint8_t> buffer) const
{
  std::ranges::fill(buffer, std::uint8_t{0});
  const auto copy = [&](std::uint64_t at, View bytes) {
    const std::uint64_t first = std::max(at, offset), end = std::min(at + bytes.size(), offset + buffer.size());
    if (first < end)
      std::memcpy(&buffer[first - offset], &bytes[first - at], end - first);
  };
  copy(0, image_);
  for (const Piece& piece : pieces_)
    copy(piece.offset, piece.bytes);
}

std::uint64_t Served::grown(std::uint64_t offset) const
{
  std::uint64_t end = offset < image_.size() ? offset : size_bytes_;
  for (const Piece& piece : pieces_) {
    if (piece.offset + piece.bytes.size() <= offset)
      continue;
    end = std::min(end, std::max(piece.offset, offset));
  }
  return end - offset;
}

}  // namespace model
