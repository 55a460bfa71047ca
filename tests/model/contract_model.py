# SPDX-License-Identifier: BSD-3-Clause
"""The bytes of a served disk, computed from section 2 of the contract and from nothing else.

Written to be checked against the page by a reader: straight code, no shortcuts shared with the library under test.
LBA ranges are inclusive.
"""

from __future__ import annotations

import os
import struct
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from images import gpt  # noqa: E402
from images.gpt import Entry, Header, ceil_div, sealed  # noqa: E402

SECTOR_SIZES = (512, 4096)
LARGEST_SIZE = 2**63 - 1
LARGEST_ARRAY = 16 << 20
MAX_U32 = 0xFFFFFFFF


@dataclass
class Refused(Exception):
    """Why the contract refuses to serve; slots are those of the entries in the way of a size that is too small."""

    reason: str
    detail: str = ""
    slots: tuple[int, ...] = ()
    smallest_size: int | None = None
    backup_would_serve: bool = False
    rivals: tuple[int, ...] = ()  # LBAs of two backups that nothing tells apart

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


@dataclass(frozen=True)
class Region:
    """A range of the served disk: kind is image (bytes of the file from image_offset), bytes (data) or zero."""

    start: int
    length: int
    kind: str
    what: str
    image_offset: int = 0
    data: bytes = field(default=b"", repr=False)

    @property
    def end(self) -> int:
        return self.start + self.length

    def cut(self, start: int, end: int) -> Region:
        skip = start - self.start
        data = self.data[skip : end - self.start]
        return replace(self, start=start, length=end - start, image_offset=self.image_offset + skip, data=data)


@dataclass(frozen=True)
class ImageFile:
    path: str
    size: int

    def read(self, offset: int, length: int) -> bytes:
        """May be shorter than length, as at the end of the file."""
        if offset >= self.size or length <= 0:
            return b""
        with open(self.path, "rb") as file:
            return os.pread(file.fileno(), length, offset)

    def sectors(self, lba: int, count: int, sector_size: int) -> bytes:
        return self.read(lba * sector_size, count * sector_size).ljust(count * sector_size, b"\0")

    def header(self, lba: int, sector_size: int) -> Header:
        return Header(self.sectors(lba, 1, sector_size))

    def last_lba(self, sector_size: int) -> int:
        return self.size // sector_size - 1


@dataclass(frozen=True)
class Table:
    sector_size: int
    header: Header  # whose fields hold for the table; becomes the primary header
    alternate_lba: int  # where the image's last LBA is, as its own table sees it
    array_lba: int
    array: bytes  # whole sectors of the primary array
    backup: Header | None  # only a valid one
    backup_array_lba: int  # of the valid backup, or where the image's backup array would belong
    backup_array: bytes  # whole sectors; empty without a valid backup

    @property
    def array_sectors(self) -> int:
        return ceil_div(self.header.array_size, self.sector_size)

    def used(self) -> Iterator[tuple[int, Entry]]:
        header = self.header
        return gpt.used_entries(self.array, header.number_of_partition_entries, header.size_of_partition_entry)

    def lbas_of_old_backup(self) -> list[range]:
        if not self.backup:
            return []
        array = range(self.backup_array_lba, self.backup_array_lba + self.array_sectors)
        return [array, range(self.alternate_lba, self.alternate_lba + 1)]


# --- Reading the image's table ---------------------------------------------------------------------------------------


def check_header(header: Header, lba: int, sector_size: int) -> None:
    if not header.has_signature:
        raise Refused("signature", f"LBA {lba}")
    if header.revision != gpt.REVISION:
        raise Refused("revision", f"{header.revision:#x}")
    if not 92 <= header.header_size <= sector_size:
        raise Refused("header-size", f"{header.header_size}")
    if header.header_crc32 != header.computed_crc32():
        raise Refused("header-crc", f"{header.header_crc32:#x}")
    if header.my_lba != lba:
        raise Refused("my-lba", f"{header.my_lba}")


def is_power_of_two(n: int) -> bool:
    return n > 0 and n & (n - 1) == 0


def check_lbas(header: Header, sector_size: int) -> None:
    """No disk that can be served has sectors past these."""
    most = LARGEST_SIZE // sector_size - 1
    for name in ("alternate_lba", "first_usable_lba", "last_usable_lba"):
        if getattr(header, name) > most:
            raise Refused("lba-range", f"{name} {getattr(header, name)}")
    if header.first_usable_lba > header.last_usable_lba:
        raise Refused("usable-area", f"{header.first_usable_lba} to {header.last_usable_lba}")


def check_array(image: ImageFile, header: Header, sector_size: int) -> None:
    size = header.size_of_partition_entry
    if size % 128 or not is_power_of_two(size // 128):
        raise Refused("entry-size", f"{size}")
    if header.number_of_partition_entries == 0:
        raise Refused("entry-count", "0")
    if header.array_size > LARGEST_ARRAY:
        raise Refused("array-size", f"{header.array_size}")
    first = header.partition_entry_lba
    last = first + ceil_div(header.array_size, sector_size) - 1
    if first * sector_size + header.array_size > image.size:
        raise Refused("array-outside", f"LBA {first}")
    if first < 2 or first <= header.my_lba <= last:
        raise Refused("array-over-header", f"LBA {first}")
    # A primary array behind the usable area would be in the way of every larger size.
    if header.my_lba == 1 and last >= header.first_usable_lba:
        raise Refused("array-over-usable", f"LBA {first} to {last}")
    if zlib.crc32(image.read(first * sector_size, header.array_size)) != header.partition_entry_array_crc32:
        raise Refused("array-crc", f"{header.partition_entry_array_crc32:#x}")


def checked(image: ImageFile, lba: int, sector_size: int) -> tuple[Header, bytes]:
    """The header at lba and the whole sectors of its array, or Refused."""
    if lba > image.last_lba(sector_size):
        raise Refused("no-gpt", f"LBA {lba} is past the end of the file")
    header = image.header(lba, sector_size)
    check_header(header, lba, sector_size)
    check_lbas(header, sector_size)
    check_array(image, header, sector_size)
    count = ceil_div(header.array_size, sector_size)
    return header, image.sectors(header.partition_entry_lba, count, sector_size)


def is_valid(image: ImageFile, lba: int, sector_size: int) -> bool:
    try:
        checked(image, lba, sector_size)
    except Refused:
        return False
    return True


def has_right_crc(header: Header, sector_size: int) -> bool:
    if not header.has_signature or not 92 <= header.header_size <= sector_size:
        return False
    return header.header_crc32 == header.computed_crc32()


def array_on_disk(image: ImageFile, at: int, backup: Header, sector_size: int) -> bool:
    """Whether an array as the backup describes it stands at this LBA."""
    found = image.read(at * sector_size, backup.array_size) if 2 <= at < 1 << 54 else b""
    return len(found) == backup.array_size and zlib.crc32(found) == backup.partition_entry_array_crc32


def what_the_primary_says(image: ImageFile, backup: Header, sector_size: int) -> tuple[bool, bool]:
    """Whether the primary header has the backup's DiskGUID, and whether its array is the backup's."""
    primary = image.header(1, sector_size)
    if has_right_crc(primary, sector_size):
        array = primary.partition_entry_array_crc32 == backup.partition_entry_array_crc32
    else:
        array = array_on_disk(image, primary.partition_entry_lba, backup, sector_size)
    return primary.disk_guid == backup.disk_guid, array


def same_content(a: Header, b: Header) -> bool:
    names = ("disk_guid", "number_of_partition_entries", "size_of_partition_entry", "partition_entry_array_crc32")
    return all(getattr(a, name) == getattr(b, name) for name in names)


def checked_backup(image: ImageFile, lba: int, sector_size: int) -> tuple[Header, bytes]:
    if lba < 2:
        raise Refused("my-lba", f"a backup at LBA {lba}")
    header, array = checked(image, lba, sector_size)
    if header.partition_entry_lba > lba:
        raise Refused("array-over-header", "a backup array behind its header")
    return header, array


def find_backup(image: ImageFile, sector_size: int) -> tuple[Header, bytes]:
    """The valid one of the last LBA and the primary's AlternateLBA; of two that differ, the one that belongs to it."""
    primary = image.header(1, sector_size)
    last_lba = image.last_lba(sector_size)
    places = [last_lba]
    if primary.alternate_lba != last_lba:
        places.append(primary.alternate_lba)
    valid, refused = [], Refused("no-gpt", "no header")
    for lba in places:
        try:
            valid.append(checked_backup(image, lba, sector_size))
        except Refused as why:
            refused = why
    if not valid:
        raise refused
    if len(valid) == 1:
        return valid[0]
    (last, _), (named, _) = valid
    if same_content(last, named):
        # One of them was left behind. A valid primary says which is its own.
        return valid[1 if is_valid(image, 1, sector_size) else 0]
    for_last = what_the_primary_says(image, last, sector_size)
    for_named = what_the_primary_says(image, named, sector_size)
    if for_last != for_named:
        if all(a >= b for a, b in zip(for_last, for_named)):
            return valid[0]
        if all(a >= b for a, b in zip(for_named, for_last)):
            return valid[1]
    raise Refused("two-backups", f"LBA {last.my_lba} and {named.my_lba}", rivals=(last.my_lba, named.my_lba))


def mirrors(backup: Header, backup_array: bytes, primary: Header, primary_array: bytes) -> bool:
    same = ("revision", "first_usable_lba", "last_usable_lba", "disk_guid", "number_of_partition_entries",
            "size_of_partition_entry", "partition_entry_array_crc32")  # fmt: skip
    if any(getattr(backup, name) != getattr(primary, name) for name in same):
        return False
    size = primary.array_size
    return backup.alternate_lba == 1 and backup_array[:size] == primary_array[:size]


def valid_backup(image: ImageFile, primary: Header, array: bytes, s: int) -> tuple[Header, bytes] | None:
    lba = primary.alternate_lba
    if not 1 < lba <= image.last_lba(s):
        return None
    try:
        header = image.header(lba, s)
        check_header(header, lba, s)
    except Refused:
        return None
    sectors = ceil_div(primary.array_size, s)
    first = header.partition_entry_lba
    if first < primary.partition_entry_lba + sectors or first + sectors > lba:
        return None
    backup_array = image.sectors(first, sectors, s)
    # With equal CRC fields and equal bytes the array's CRC is right: the primary's was checked.
    return (header, backup_array) if mirrors(header, backup_array, primary, array) else None


def primary_table(image: ImageFile, s: int) -> Table:
    try:
        header, array = checked(image, 1, s)
    except Refused as why:
        try:
            find_backup(image, s)
        except Refused as none:
            raise replace(why, rivals=none.rivals) from None
        raise replace(why, backup_would_serve=True) from None
    backup, backup_array = valid_backup(image, header, array, s) or (None, b"")
    # Without a backup the array ends directly before the header.
    place = backup.partition_entry_lba if backup else header.alternate_lba - ceil_div(header.array_size, s)
    return Table(s, header, header.alternate_lba, header.partition_entry_lba, array, backup, place, backup_array)


def backup_table(image: ImageFile, s: int) -> Table:
    backup, backup_array = find_backup(image, s)
    sectors = ceil_div(backup.array_size, s)
    array_lba, array = 2, backup_array
    damaged = image.header(1, s)
    place = damaged.partition_entry_lba
    if 2 <= place and place + sectors <= backup.first_usable_lba:
        if array_on_disk(image, place, backup, s):
            array_lba, array = place, image.sectors(place, sectors, s)
        elif has_right_crc(damaged, s):
            array_lba = place
    if array_lba + sectors > backup.first_usable_lba:
        raise Refused("array-over-usable", "no room for the primary array at LBA 2")
    if backup.partition_entry_lba < array_lba + sectors:
        raise Refused("array-over-header", "the backup array is where the primary array belongs")
    return Table(s, backup, backup.my_lba, array_lba, array, backup, backup.partition_entry_lba, backup_array)


def sector_size_of(image: ImageFile) -> int:
    """Found from the place of a valid header, 512 then 4096.

    A header whose table is whole counts first: one left over from a use with other sectors has lost its array.
    A primary counts before a backup.
    """

    def has_primary_table(s: int) -> bool:
        return is_valid(image, 1, s)

    def has_primary(s: int) -> bool:
        return has_right_crc(image.header(1, s), s)

    def has_backup(s: int) -> bool:
        try:
            find_backup(image, s)
        except Refused as why:
            return bool(why.rivals)
        return True

    def has_both(s: int) -> bool:
        return has_primary(s) and has_backup(s)

    for look in (has_primary_table, has_both, has_primary, has_backup):
        for s in SECTOR_SIZES:
            if image.size >= 2 * s and look(s):
                return s
    for s in SECTOR_SIZES:
        if image.header(1, s).has_signature:
            return s
    raise Refused("no-gpt", "no header at 512 or 4096")


# --- Where everything goes at another size ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Obstacle:
    text: str
    slot: int | None = None


def last_usable(table: Table, delta: int) -> int:
    """LastUsableLBA moves by delta, and is never at or past the backup array."""
    return min(table.header.last_usable_lba, table.backup_array_lba - 1) + delta


def overwrites_data(table: Table, entry: Entry, new: range) -> bool:
    """Whether new structures there replace bytes of this entry that are not the old backup's own."""
    first, end = max(entry.first_lba, new.start), min(entry.last_lba + 1, new.stop)
    old = table.lbas_of_old_backup()
    return any(not any(lba in lbas for lbas in old) for lba in range(first, end))


def overlap(a: range, b: range) -> bool:
    return max(a.start, b.start) < min(a.stop, b.stop)


def obstacles(table: Table, delta: int) -> list[Obstacle]:
    """What stands in the way of serving with the tail moved by delta."""
    found = []
    last_lba = table.alternate_lba + delta
    usable = range(table.header.first_usable_lba, last_usable(table, delta) + 1)
    first = table.backup_array_lba + delta
    new_structures = [range(first, first + table.array_sectors), range(last_lba, last_lba + 1)]
    for slot, entry in table.used():
        if delta < 0 and entry.last_lba >= usable.stop:
            found.append(Obstacle("ends past the new LastUsableLBA", slot))
        elif entry.last_lba > last_lba:
            found.append(Obstacle("ends past the end of the disk", slot))
        elif any(overwrites_data(table, entry, new) for new in new_structures):
            found.append(Obstacle("would be overwritten by the new backup", slot))
    if usable.stop <= usable.start:
        found.append(Obstacle("no usable area is left"))
    array = range(table.array_lba, table.array_lba + table.array_sectors)
    if any(overlap(array, new) for new in [usable, *new_structures]) or first <= array.start < usable.start:
        found.append(Obstacle("the primary array is in the way"))
    return found


def smallest_delta(table: Table) -> int | None:
    """The least move without an obstacle: every obstacle ends at one of these places."""
    backup_array = table.backup_array_lba
    candidates = {0, table.header.first_usable_lba - last_usable(table, 0)}
    candidates.add(table.array_lba + table.array_sectors - backup_array)
    for _, entry in table.used():
        candidates.add(entry.last_lba - last_usable(table, 0))
        candidates.add(entry.last_lba + 1 - backup_array)
        candidates.add(entry.last_lba - table.alternate_lba)
    fine = [delta for delta in sorted(candidates) if not obstacles(table, delta)]
    return fine[0] if fine else None


def check_size(size: int, sector_size: int) -> None:
    if size % sector_size:
        raise Refused("size-multiple", f"{size}")
    if size > LARGEST_SIZE:
        raise Refused("size-large", f"{size}")


def check_truncated(table: Table, image: ImageFile) -> None:
    for slot, entry in table.used():
        if (entry.last_lba + 1) * table.sector_size > image.size:
            raise Refused("truncated", f"entry {slot} reaches past the end of the file", (slot,))


def check_room(table: Table, delta: int) -> None:
    found = obstacles(table, delta)
    if not found:
        return
    least = smallest_delta(table)
    smallest = None if least is None else (table.alternate_lba + least + 1) * table.sector_size
    slots = tuple(obstacle.slot for obstacle in found if obstacle.slot is not None)
    if least is not None and delta > least:
        raise Refused("collision", found[0].text, slots)
    raise Refused("size-small", found[0].text, slots, smallest)


def served_mbr(mbr: bytes, header: Header, delta: int) -> bytes:
    out = bytearray(mbr)
    for index, record in enumerate(gpt.mbr_records(mbr)):
        reaches_last_usable = record.starting_lba + record.size_in_lba - 1 >= header.last_usable_lba
        if (
            record.os_type == 0xEE
            and record.starting_lba == 1
            and reaches_last_usable
            and record.size_in_lba != MAX_U32
        ):
            moved = min(record.size_in_lba + delta, MAX_U32)
            struct.pack_into("<I", out, gpt.MBR_RECORDS_OFFSET + index * gpt.MBR_RECORD_SIZE + 12, moved)
    return bytes(out)


def overlay(regions: list[Region], new: Region) -> list[Region]:
    """The regions with new laid over them; what of new lies past their end is cut off."""
    end_of_disk = regions[-1].end
    if new.start >= end_of_disk:
        return regions
    new = new.cut(new.start, min(new.end, end_of_disk))
    out = []
    for old in regions:
        if old.start < new.start:
            out.append(old.cut(old.start, min(old.end, new.start)))
        if old.start <= new.start < old.end:
            out.append(new)
        if old.end > new.end:
            out.append(old.cut(max(old.start, new.end), old.end))
    return out


# --- Extending a partition -------------------------------------------------------------------------------------------

BOUNDARY = 4096


def slot_to_extend(table: Table, which: str) -> int:
    if which != "last":
        return int(which)
    ends = [(entry.last_lba, slot) for slot, entry in table.used()]
    if not ends:
        raise Refused("extend-unused", "no slot is used")
    last = [slot for end, slot in ends if end == max(ends)[0]]
    if len(last) > 1:
        raise Refused("extend-which", "several end last", tuple(last))
    return last[0]


def extended_end(last_usable_lba: int, sector_size: int) -> int:
    """The last LBA at or before this one that ends on a boundary; -1 if none does."""
    lba = last_usable_lba
    while (lba + 1) * sector_size % BOUNDARY:
        lba -= 1
    return lba


def extension(table: Table, mbr: bytes, which: str, last_usable_lba: int) -> tuple[int, int]:
    """The slot, and its new EndingLBA; or Refused."""
    slot, used = slot_to_extend(table, which), dict(table.used())
    if not 1 <= slot <= table.header.number_of_partition_entries:
        raise Refused("extend-range", f"slot {slot}", (slot,))
    if slot not in used:
        raise Refused("extend-unused", f"slot {slot}", (slot,))
    entry, end = used[slot], extended_end(last_usable_lba, table.sector_size)
    if entry.last_lba < entry.first_lba:
        raise Refused("extend-order", "it ends before it begins", (slot,))
    for other_slot, other in used.items():
        if other_slot != slot and (other.first_lba > entry.last_lba or other.last_lba > entry.last_lba):
            raise Refused("extend-behind", f"slot {other_slot} is behind it", (slot, other_slot))
    if end < entry.last_lba:
        raise Refused("extend-shorter", f"from {entry.last_lba} to {end}", (slot,))
    for record in gpt.mbr_records(mbr):
        is_protective = record.os_type in (0, 0xEE)
        lbas = range(record.starting_lba, record.starting_lba + max(record.size_in_lba, 1))
        if not is_protective and overlap(lbas, range(entry.first_lba, end + 1)):
            raise Refused("extend-hybrid", f"a record at LBA {record.starting_lba}", (slot,))
    return slot, end


def with_end(array: bytes, slot: int, entry_size: int, last_lba: int) -> bytes:
    at = (slot - 1) * entry_size + 40
    return array[:at] + struct.pack("<Q", last_lba) + array[at + 8 :]


def lay_out(table: Table, image: ImageFile, size: int, old_backup: str, extend: str | None = None) -> list[Region]:
    s = table.sector_size
    last_lba = size // s - 1
    delta = last_lba - table.alternate_lba
    new_array_lba = table.backup_array_lba + delta
    new_last_usable = last_usable(table, delta)

    inside = min(size, image.size)
    regions = [Region(0, inside, "image", "the image")]
    if size > inside:
        regions.append(Region(inside, size - inside, "zero", "past the end of the image"))

    def put(lba: int, data: bytes, what: str) -> None:
        nonlocal regions
        regions = overlay(regions, Region(lba * s, len(data), "bytes", what, data=data))

    if old_backup == "zero" and delta != 0:
        for lbas in table.lbas_of_old_backup():
            zeros = Region(lbas.start * s, len(lbas) * s, "zero", "old backup")
            regions = overlay(regions, zeros)

    unmoved = delta == 0 and table.backup
    arrays = [table.array, table.backup_array if unmoved else table.array]
    crc = table.header.partition_entry_array_crc32
    if extend is not None:
        slot, end = extension(table, image.read(0, gpt.MBR_SIZE), extend, new_last_usable)
        arrays = [with_end(array, slot, table.header.size_of_partition_entry, end) for array in arrays]
        crc = zlib.crc32(arrays[0][: table.header.array_size])

    put(0, served_mbr(image.read(0, gpt.MBR_SIZE), table.header, delta), "MBR")
    put(1, sealed(table.header.sector, my_lba=1, alternate_lba=last_lba, partition_entry_lba=table.array_lba,
                  last_usable_lba=new_last_usable, partition_entry_array_crc32=crc), "primary header")  # fmt: skip
    put(table.array_lba, arrays[0], "primary array")
    put(new_array_lba, arrays[1], "backup array")
    put(last_lba, sealed((table.backup or table.header).sector, my_lba=last_lba, alternate_lba=1,
                         partition_entry_lba=new_array_lba, last_usable_lba=new_last_usable,
                         partition_entry_array_crc32=crc),
        "backup header")  # fmt: skip
    return regions


def load(image_path: str | Path, sector_size: int | None = None, table: str = "primary") -> tuple[ImageFile, Table]:
    image = ImageFile(str(image_path), os.stat(image_path).st_size)
    s = sector_size or sector_size_of(image)
    return image, (primary_table if table == "primary" else backup_table)(image, s)


def smallest_size(image_path: str | Path, *, sector_size: int | None = None, table: str = "primary") -> int | None:
    image, found = load(image_path, sector_size, table)
    least = smallest_delta(found)
    return None if least is None else (found.alternate_lba + least + 1) * found.sector_size


def expected(
    image_path: str | Path,
    size_bytes: int,
    *,
    sector_size: int | None = None,
    table: str = "primary",
    old_backup: str = "zero",
    truncated: str = "refuse",
    extend: str | None = None,
) -> list[Region]:
    """Ordered, gapless regions of the served disk, or Refused."""
    image, found = load(image_path, sector_size, table)
    check_size(size_bytes, found.sector_size)
    if truncated == "refuse":
        check_truncated(found, image)
    check_room(found, size_bytes // found.sector_size - 1 - found.alternate_lba)
    return lay_out(found, image, size_bytes, old_backup, extend)


# --- Looking at the answer -------------------------------------------------------------------------------------------


def region_at(regions: list[Region], offset: int) -> Region:
    return next(region for region in regions if region.start <= offset < region.end)


def read_regions(image_fd: int, regions: list[Region], start: int, length: int) -> bytes:
    """The served disk's bytes from start on, which must lie inside it."""
    parts = []
    for region in regions:
        first, end = max(region.start, start), min(region.end, start + length)
        if first >= end:
            continue
        part = region.cut(first, end)
        if part.kind == "image":
            parts.append(os.pread(image_fd, part.length, part.image_offset))
        else:
            parts.append(part.data if part.kind == "bytes" else bytes(part.length))
    data = b"".join(parts)
    assert len(data) == length
    return data
