#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The images that the tests serve, each made by itself and known by a name.

    catalogue.py DIR [NAME...]     write all images, or those named, into DIR as NAME.raw
    catalogue.py --list            list the names

Every data area holds a pattern that depends on its position, so that a misplaced sector shows.
"""

from __future__ import annotations

import array
import functools
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from images import gpt  # noqa: E402
from images.gpt import Entry, MbrRecord, ceil_div, sealed  # noqa: E402

ATTACH_LOOP = Path(__file__).resolve().parents[1] / "attach_loop.sh"

MIB = 1 << 20
PATTERN_BLOCK = 1 << 16  # images have the same bytes at the same place: they are made once
MAX_U32 = 0xFFFFFFFF

EFI_SYSTEM = uuid.UUID("C12A7328-F81F-11D2-BA4B-00A0C93EC93B")
BASIC_DATA = uuid.UUID("EBD0A0A2-B9E5-4433-87C0-68B6B72699C7")
LINUX_DATA = uuid.UUID("0FC63DAF-8483-4772-8E79-3D69D8477DE4")
VMFS = uuid.UUID("AA31E02A-400F-11DB-9590-000C2911D1B8")
VMKCORE = uuid.UUID("9D275380-40AD-11DB-BF97-000C2911D1B8")
NAMES = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")


class Skipped(Exception):
    """This image cannot be made on this machine."""


# --- Bytes -----------------------------------------------------------------------------------------------------------


def pattern(start: int, length: int, salt: int = 0xA5) -> bytes:
    """Bytes for a range of the image; every eight aligned bytes tell their own offset. Ends may be unaligned."""
    blocks = range(start // PATTERN_BLOCK * PATTERN_BLOCK, start + length, PATTERN_BLOCK)
    return b"".join(_pattern_block(at, salt)[max(start - at, 0) : start + length - at] for at in blocks)


@functools.lru_cache(maxsize=1024)
def _pattern_block(start: int, salt: int) -> bytes:
    base = (salt << 56) + start
    words = array.array("Q", range(base, base + PATTERN_BLOCK, 8))
    if sys.byteorder == "big":
        words.byteswap()
    return words.tobytes()


def write_at(path: Path, offset: int, data: bytes) -> None:
    with open(path, "r+b") as file:
        os.pwrite(file.fileno(), data, offset)


def read_at(path: Path, offset: int, length: int) -> bytes:
    with open(path, "rb") as file:
        return os.pread(file.fileno(), length, offset)


def flip(path: Path, offset: int) -> None:
    write_at(path, offset, bytes([read_at(path, offset, 1)[0] ^ 0x40]))


def fill(path: Path, start: int, length: int) -> None:
    for at in range(start, start + length, MIB):
        write_at(path, at, pattern(at, min(MIB, start + length - at)))


def guid(name: str) -> uuid.UUID:
    return uuid.uuid5(NAMES, name)


# --- A disk with every part under control ----------------------------------------------------------------------------


def standard_entries(sector_size: int) -> dict[int, Entry]:
    """Slots 1, 2, 4, 6 in 2 MiB, on disk not in the order of their slots, the last end well before the tail."""
    extents = {1: (192, 511), 2: (1024, 1503), 4: (512, 1023), 6: (2048, 3071)}
    if sector_size == 4096:
        extents = {1: (24, 79), 2: (144, 199), 4: (80, 143), 6: (256, 383)}
    types = {1: EFI_SYSTEM, 2: BASIC_DATA, 4: LINUX_DATA, 6: VMFS}
    return {
        slot: Entry(types[slot], guid(f"partition {slot}"), first, last, 4 if slot == 1 else 0, f"Part {slot} äß")
        for slot, (first, last) in extents.items()
    }


def protective(size_in_lba: int, **fields: int | bytes) -> MbrRecord:
    return replace(MbrRecord(0xEE, 1, size_in_lba), **fields)


@dataclass(kw_only=True)
class Disk:
    sector_size: int = 512
    last_lba: int = 0
    entries: Mapping[int, Entry] | None = None
    entry_count: int = 128
    entry_size: int = 128
    junk_in_unused_slots: bool = False
    entry_tails: bool = False
    first_usable_lba: int = 0
    last_usable_lba: int = 0
    primary_array_lba: int = 2
    backup_array_lba: int = 0
    header_size: int = 92
    backup_header_size: int = 0
    reserved: int = 0
    primary_tail: bytes = b""
    backup_tail: bytes = b""
    array_padding: bool = False
    records: Sequence[MbrRecord] | None = None
    disk_signature: bytes = b"\x11\x22\x33\x44\x00\x00"
    boot_signature: bytes = b"\x55\xaa"
    disk_guid: uuid.UUID | None = None
    data: Sequence[tuple[int, int]] | None = None  # byte ranges to fill; all if None
    array_sectors: int = field(init=False)

    def __post_init__(self) -> None:
        s = self.sector_size
        self.last_lba = self.last_lba or 2 * MIB // s - 1
        if self.entries is None:
            self.entries = {n: e for n, e in standard_entries(s).items() if n <= self.entry_count}
        self.array_sectors = ceil_div(self.entry_count * self.entry_size, s)
        self.first_usable_lba = self.first_usable_lba or self.primary_array_lba + self.array_sectors
        self.backup_array_lba = self.backup_array_lba or self.last_lba - self.array_sectors
        self.last_usable_lba = self.last_usable_lba or self.backup_array_lba - 1
        self.backup_header_size = self.backup_header_size or self.header_size
        if self.records is None:
            self.records = [protective(min(self.last_lba, MAX_U32))]

    @property
    def size(self) -> int:
        return (self.last_lba + 1) * self.sector_size

    def array(self) -> bytes:
        return b"".join(self._slot(number) for number in range(1, self.entry_count + 1))

    def _slot(self, number: int) -> bytes:
        tail = pattern(number * 4096, self.entry_size, 0x7E) if self.entry_tails else b""
        if number in self.entries:
            return self.entries[number].pack(self.entry_size, tail)
        if self.junk_in_unused_slots:
            # Only the type GUID makes a slot unused.
            return bytes(16) + pattern(number * 4096, self.entry_size, 0x6D)[16:]
        return bytes(self.entry_size)

    def header(self, primary: bool) -> bytes:
        size = self.header_size if primary else self.backup_header_size
        tail = self.primary_tail if primary else self.backup_tail
        sector = bytes(gpt.HEADER_FIELDS_END) + tail
        return sealed(
            sector.ljust(self.sector_size, b"\0")[: self.sector_size],
            signature=gpt.SIGNATURE,
            revision=gpt.REVISION,
            header_size=size,
            reserved=self.reserved,
            my_lba=1 if primary else self.last_lba,
            alternate_lba=self.last_lba if primary else 1,
            first_usable_lba=self.first_usable_lba,
            last_usable_lba=self.last_usable_lba,
            disk_guid=(self.disk_guid or guid("disk")).bytes_le,
            partition_entry_lba=self.primary_array_lba if primary else self.backup_array_lba,
            number_of_partition_entries=self.entry_count,
            size_of_partition_entry=self.entry_size,
            partition_entry_array_crc32=gpt.zlib.crc32(self.array()),
        )

    def mbr(self) -> bytes:
        return gpt.pack_mbr(self.records, pattern(0, 440, 0xB0), self.disk_signature, self.boot_signature)

    def write(self, path: Path) -> None:
        with open(path, "wb") as file:
            file.truncate(self.size)
        for start, length in [(0, self.size)] if self.data is None else self.data:
            fill(path, start, length)
        s = self.sector_size
        packed = self.array()
        if not self.array_padding:
            packed = packed.ljust(self.array_sectors * s, b"\0")
        write_at(path, 0, self.mbr())
        write_at(path, s, self.header(primary=True))
        write_at(path, self.primary_array_lba * s, packed)
        write_at(path, self.backup_array_lba * s, packed)
        write_at(path, self.last_lba * s, self.header(primary=False))


# --- The catalogue ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Image:
    name: str
    make: Callable[[Path], None]
    variants: tuple[dict[str, str], ...] = ()  # plugin options besides those tried with every image
    large: bool = False  # comparing all of it takes long: few sizes are enough


CATALOGUE: dict[str, Image] = {}


def add(name: str, make: Callable[[Path], None], *variants: dict[str, str], large: bool = False) -> None:
    assert name not in CATALOGUE, name
    CATALOGUE[name] = Image(name, make, variants, large)


def both(name: str, *variants: dict[str, str], **knobs) -> None:
    """The same disk with sectors of 512 and of 4096 bytes."""
    for s in (512, 4096):
        add(f"{name}-{s}", Disk(sector_size=s, **knobs).write, *variants)


def then(disk: Disk, *changes: Callable[[Path], None]) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        disk.write(path)
        for change in changes:
            change(path)

    return make


def overwrite_table(disk: Disk) -> Callable[[Path], None]:
    """Writes both tables of another disk over an image."""

    def change(path: Path) -> None:
        s, packed = disk.sector_size, disk.array()
        write_at(path, s, disk.header(primary=True))
        for lba in (disk.primary_array_lba, disk.backup_array_lba):
            write_at(path, lba * s, packed)
        write_at(path, disk.last_lba * s, disk.header(primary=False))

    return change


# ESXi: extents in 512-byte sectors; all are multiples of 4096 bytes.

ESXI_5 = {
    1: (64, 8191, EFI_SYSTEM),
    5: (8224, 520191, BASIC_DATA),
    6: (520224, 1032191, BASIC_DATA),
    7: (1032224, 1257471, VMKCORE),
    8: (1257504, 1843199, BASIC_DATA),
    2: (1843200, 10229759, BASIC_DATA),
    3: (10229760, None, VMFS),
}
ESXI_6 = {
    **{slot: ESXI_5[slot] for slot in (1, 5, 6, 7, 8)},
    9: (1843200, 7086079, VMKCORE),
    2: (7086080, 10229759, BASIC_DATA),
    3: (10229760, None, VMFS),
}
ESXI_7 = {
    1: (64, 204863, EFI_SYSTEM),
    5: (208896, 8595455, BASIC_DATA),
    6: (8597504, 16984063, BASIC_DATA),
    7: (16986112, 25374719, uuid.UUID("4EB2EA39-7855-4790-A79E-FAE495E21F8D")),
    8: (25376768, None, VMFS),
}


def esxi(s: int, layout: Mapping[int, tuple[int, int | None, uuid.UUID]], size: int, exact: bool) -> Disk:
    last_lba = size // s - 1
    last_usable_lba = last_lba - 16384 // s - 1
    per = s // 512
    entries = {}
    for slot, (first, last, type_guid) in layout.items():
        end = last_usable_lba if last is None else (last + 1) // per - 1
        entries[slot] = Entry(type_guid, guid(f"esxi {slot}"), first // per, end, 4 if slot == 1 else 0)
    edge = 16 * 4096
    ends = [0, size - edge] + [e.first_lba * s for e in entries.values()]
    ends += [(e.last_lba + 1) * s - edge for e in entries.values()]
    return Disk(
        sector_size=s,
        last_lba=last_lba,
        entries=entries,
        last_usable_lba=last_usable_lba,
        records=[protective(last_lba if exact else last_usable_lba, boot_indicator=0x80)],
        data=[(start, edge) for start in sorted(ends)],
    )


def add_esxi() -> None:
    for s in (512, 4096):
        add(f"esxi5-{s}", esxi(s, ESXI_5, 6 << 30, True).write)
        add(f"esxi6-{s}", esxi(s, ESXI_6, 6 << 30, True).write)
        add(f"esxi7-{s}", esxi(s, ESXI_7, 16 << 30, False).write)


# Tables by real tools


def run(*command: object, stdin: str = "") -> None:
    try:
        done = subprocess.run([str(c) for c in command], input=stdin, text=True, capture_output=True)
    except FileNotFoundError as why:
        raise Skipped(str(why)) from None
    if done.returncode:
        raise RuntimeError(f"{command}: {(done.stdout + done.stderr).strip()}")


def by_tool(sector_size: int, use: Callable[[str], None]) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with open(path, "wb") as file:
            file.truncate(4 * MIB)
        fill(path, 0, 4 * MIB)
        # parted takes a pattern in LBA 0 for a boot sector to keep; old tables would be in the last sectors.
        write_at(path, 0, bytes(sector_size))
        if sector_size == 512:
            use(str(path))
        else:
            with_loop_device(path, sector_size, use)

    return make


def with_loop_device(path: Path, sector_size: int, use: Callable[[str], None]) -> None:
    command = [str(ATTACH_LOOP), str(path), "--sector-size", str(sector_size)]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError as why:
        raise Skipped(str(why)) from None
    if done.returncode:
        raise Skipped(f"no loop device with sectors of {sector_size} bytes: {done.stderr.strip()}")
    device = done.stdout.strip()
    try:
        use(device)
    finally:
        # The last one to close it writes what is in its cache: that may be a test that looks at all disks, some time later.
        with open(device, "rb") as opened:
            os.fsync(opened)
        subprocess.run(["losetup", "--detach", device], check=True)


def sgdisk(*options: str) -> Callable[[str], None]:
    def use(device: str) -> None:
        run("sgdisk", "--clear", "--disk-guid", guid("sgdisk"), *options, device)

    return use


def sfdisk(script: str) -> Callable[[str], None]:
    def use(device: str) -> None:
        run("sfdisk", "--no-reread", "--no-tell-kernel", "--wipe=never", device, stdin="label: gpt\n" + script)

    return use


def parted(*commands: str) -> Callable[[str], None]:
    def use(device: str) -> None:
        run("parted", "--script", "--align=none", device, "mklabel", "gpt", *" ".join(commands).split())

    return use


def add_tools() -> None:
    sgdisk_parts = ("--set-alignment=1", "-n1:64:200", "-t1:ef00", "-c1:EFI", "-n3:300:500", "-n7:201:250", "-A1:set:2")
    sfdisk_parts = "start=64, size=64, type=U, name=a\n/dev/sdx3 : start=256, size=100, type=L\n"
    parted_parts = ("mkpart a fat32 64s 200s", "mkpart b ext4 300s 500s", "set 1 esp on")
    for s in (512, 4096):
        add(f"sgdisk-{s}", by_tool(s, sgdisk(*sgdisk_parts)))
        add(f"sfdisk-{s}", by_tool(s, sfdisk(f"first-lba: 64\n{sfdisk_parts}")))
        add(f"parted-{s}", by_tool(s, parted(*parted_parts)))
    add("sgdisk-hybrid-512", by_tool(512, sgdisk(*sgdisk_parts, "--hybrid", "1:3")))
    add("sgdisk-hybrid-protective-last-512", by_tool(512, sgdisk(*sgdisk_parts, "--hybrid", "1:3:EE")))
    add("sgdisk-56-entries-512", by_tool(512, sgdisk("--resize-table=56", *sgdisk_parts)))
    add("sgdisk-array-moved-512", by_tool(512, sgdisk("--move-main-table=20", *sgdisk_parts)))
    add("sfdisk-48-entries-512", by_tool(512, sfdisk(f"table-length: 48\nfirst-lba: 64\n{sfdisk_parts}")))
    add("parted-pmbr-boot-512", by_tool(512, parted("disk_set pmbr_boot on", *parted_parts)))


# Shapes of headers and arrays


def add_arrays() -> None:
    for count in (4, 8, 48, 56, 128, 256):
        both(f"entries-{count}", entry_count=count)
    # 5 entries leave room in the array's last sector, which belongs to nobody.
    both("array-padding", entry_count=5, array_padding=True)
    for s in (512, 4096):
        disk = Disk(sector_size=s, entry_count=5)
        at = disk.backup_array_lba * s + 5 * 128
        add(f"array-padding-differs-{s}", then(disk, lambda path, at=at: write_at(path, at, b"\xdd" * 100)))
    for size in (256, 512):
        both(f"entry-size-{size}", entry_size=size, entry_tails=True)
    both("entry-size-4096-of-4", entry_size=4096, entry_count=4, entry_tails=True)
    both("unused-slots-junk", junk_in_unused_slots=True)
    both("unused-slots-junk-256", junk_in_unused_slots=True, entry_size=256, entry_tails=True, entry_count=56)
    both("array-primary-further-out", primary_array_lba=10, first_usable_lba=45)
    for s in (512, 4096):
        disk = Disk(sector_size=s)
        place = disk.last_lba - disk.array_sectors - 20
        add(f"array-backup-gap-{s}", Disk(sector_size=s, backup_array_lba=place).write)
        knobs = {"primary_array_lba": 7, "first_usable_lba": 45, "backup_array_lba": place}
        knobs |= {"last_usable_lba": place - 9, "junk_in_unused_slots": True}
        add(f"array-both-elsewhere-{s}", Disk(sector_size=s, **knobs).write)
    both("empty-table", entries={})
    both("empty-table-junk", entries={}, junk_in_unused_slots=True)


def add_headers() -> None:
    tails = {"primary_tail": pattern(0, 4096, 0x51), "backup_tail": pattern(0, 4096, 0x52)}
    for size in (92, 96, 512):
        both(f"header-size-{size}", header_size=size, **tails)
    add("header-size-4096-4096", Disk(sector_size=4096, header_size=4096, **tails).write)
    both("header-sizes-differ", header_size=92, backup_header_size=512, **tails)
    both("header-reserved", reserved=0xDEADBEEF)
    early = Entry(EFI_SYSTEM, guid("early"), 64, 2047, 0, "before FirstUsableLBA")
    late = Entry(VMFS, guid("late"), 2048, 3000, 0, "late")
    add("first-usable-2048-512", Disk(first_usable_lba=2048, entries={1: early, 3: late}).write)
    add("first-usable-2048-all-before-512", Disk(first_usable_lba=2048, entries={1: early}).write)
    both("usable-area-narrow", first_usable_lba=60, last_usable_lba=400, entries=few_entries(64, 350))


def few_entries(first: int, last: int) -> dict[int, Entry]:
    return {2: Entry(LINUX_DATA, guid("only"), first, last, 0, "only")}


# MBR


def add_mbrs() -> None:
    last = 4095
    last_usable = Disk().last_usable_lba
    sizes = {
        "exact": last,
        "max": MAX_U32,
        "last-usable": last_usable,
        "below-last-usable": last_usable - 1,
        "beyond-disk": 5000,
        "0": 0,
        "fffffffe": 0xFFFFFFFE,
        "ffffffe0": 0xFFFFFFE0,
    }
    for name, size in sizes.items():
        add(f"mbr-size-{name}-512", Disk(records=[protective(size)]).write)
    add("mbr-size-last-usable-4096", Disk(sector_size=4096, records=[protective(506)]).write)
    add("mbr-starts-at-0-512", Disk(records=[protective(last + 1, starting_lba=0)]).write)
    add("mbr-starts-at-2-512", Disk(records=[protective(last, starting_lba=2)]).write)
    oddities = {"boot_indicator": 0x80, "starting_chs": b"\xfe\xff\xff", "ending_chs": b"\x01\x02\x03"}
    both("mbr-active-chs", disk_signature=b"\xde\xad\xbe\xef\x5a\x5a", records=[protective(9999, **oddities)])
    strange = MbrRecord(0xEE, 1, last, 0x7F, b"\0\0\0", b"\0\0\0")
    add("mbr-odd-indicator-512", Disk(records=[strange]).write)
    add("mbr-no-records-512", Disk(records=[]).write)
    add("mbr-no-55aa-512", Disk(boot_signature=b"\0\0").write)
    add("mbr-only-other-types-512", Disk(records=[MbrRecord(0x83, 1, last), MbrRecord(0xEF, 1, last)]).write)
    add_hybrids(last)


def add_hybrids(last: int) -> None:
    fat = MbrRecord(0x0C, 192, 320, 0x80, b"\x01\x01\x00", b"\x08\x09\x00")
    linux = MbrRecord(0x83, 512, 512)
    small = protective(191)
    whole = protective(last)
    orders = {
        "protective-first": [small, fat, linux],
        "protective-last": [fat, linux, small],
        "whole-second": [fat, whole, linux],
        "whole-fourth": [fat, linux, MbrRecord(), whole],
        "two-protective": [small, fat, MbrRecord(0xEE, 1024, last - 1023)],
        "two-whole": [whole, fat, protective(last, boot_indicator=0x80)],
        "whole-and-max": [protective(MAX_U32), fat, whole, protective(0xFFFFFFF0)],
        "gap-after": [fat, MbrRecord(0xEE, 2048, last - 2047), whole],
    }
    for name, records in orders.items():
        add(f"hybrid-{name}-512", Disk(records=records).write)
    of_last = [protective(2047), MbrRecord(0xFB, 2048, 1024), MbrRecord(0xEE, 3072, last - 3071)]
    add("hybrid-of-last-slot-512", Disk(records=of_last).write)
    add("hybrid-whole-second-4096", Disk(sector_size=4096, records=[fat, protective(511), linux]).write)


# Backups that are missing, damaged, or of another table


def rewrite_backup(disk: Disk, **fields: int | bytes) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        at = disk.last_lba * disk.sector_size
        write_at(path, at, sealed(read_at(path, at, disk.sector_size), **fields))

    return change


def replace_backup_array(disk: Disk, entries: Mapping[int, Entry]) -> Callable[[Path], None]:
    """A backup valid in itself that lists other entries."""

    def change(path: Path) -> None:
        other = replace(disk, entries=entries, records=None)
        write_at(path, disk.backup_array_lba * disk.sector_size, other.array())
        rewrite_backup(disk, partition_entry_array_crc32=gpt.zlib.crc32(other.array()))(path)

    return change


def erase(start: int, length: int) -> Callable[[Path], None]:
    return lambda path: write_at(path, start, bytes(length))


def flips(*offsets: int) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        for offset in offsets:
            flip(path, offset)

    return change


def add_backups() -> None:
    for s in (512, 4096):
        # A tail and padding of its own show which sector a new header was made from.
        disk = Disk(sector_size=s, header_size=96, primary_tail=b"primary" * 9, backup_tail=b"BACKUP" * 9)
        header, array_at = disk.last_lba * s, disk.backup_array_lba * s
        tail = (array_at, disk.size - array_at)
        entries = dict(disk.entries)
        closed = {1: entries[1], 2: entries[2], 3: entries[4], 4: entries[6]}
        add(f"backup-missing-{s}", then(disk, erase(*tail)))
        add(f"backup-overwritten-with-data-{s}", then(disk, lambda path, tail=tail: fill(path, *tail)))
        add(f"backup-header-crc-{s}", then(disk, flips(header + 40)))
        add(f"backup-header-tail-{s}", then(disk, flips(header + 94)))
        add(f"backup-array-crc-{s}", then(disk, flips(array_at + 130)))
        add(f"backup-my-lba-{s}", then(disk, rewrite_backup(disk, my_lba=disk.last_lba - 1)))
        add(f"backup-other-disk-guid-{s}", then(disk, rewrite_backup(disk, disk_guid=guid("other").bytes_le)))
        add(f"backup-other-array-{s}", then(disk, replace_backup_array(disk, closed)))
    disk = Disk(header_size=96, primary_tail=b"primary" * 9, backup_tail=b"BACKUP" * 9)
    for name, fields in {
        "revision": {"revision": 0x00010002},
        "first-usable": {"first_usable_lba": 2048},
        "last-usable": {"last_usable_lba": disk.last_usable_lba - 8},
        "alternate": {"alternate_lba": 2},
        "entry-count": {"number_of_partition_entries": 127},
        "header-size-91": {"header_size": 91},
        "array-behind-header": {"partition_entry_lba": disk.last_lba - 10},
        "array-is-primary": {"partition_entry_lba": 2},
        "array-outside": {"partition_entry_lba": 1 << 60},
    }.items():
        add(f"backup-{name}-512", then(disk, rewrite_backup(disk, **fields)))
    add("backup-reserved-512", then(disk, rewrite_backup(disk, reserved=0x1234)))
    entries = dict(disk.entries)
    more = entries | {5: replace(entries[2], first_lba=1504, last_lba=1600)}
    add("backup-one-more-entry-512", then(disk, replace_backup_array(disk, more)))


# Files longer and shorter than the table says


def extend(size: int, start: int) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        os.truncate(path, size)
        fill(path, start, size - start)

    return change


def cut(size: int) -> Callable[[Path], None]:
    return lambda path: os.truncate(path, size)


ALLOW = {"truncated": "allow"}


def add_lengths() -> None:
    for s in (512, 4096):
        disk = Disk(sector_size=s, backup_tail=b"BACKUP")
        size = disk.size
        add(f"longer-with-data-{s}", then(disk, extend(size + 100 * s, size)))
        add(f"longer-by-one-sector-{s}", then(disk, extend(size + s, size)))
        add(f"longer-not-whole-sectors-{s}", then(disk, extend(size + 10 * s + 300, size)))
        add(f"longer-sparse-{s}", then(disk, cut(size + 64 * 4096)))
        add(f"longer-no-backup-{s}", then(disk, erase(size - 2 * s, 2 * s), extend(size + 100 * s, size)))
        add(f"shorter-backup-header-{s}", then(disk, cut(size - s)))
        add(f"shorter-backup-{s}", then(disk, cut(disk.backup_array_lba * s)))
        add(f"shorter-into-slack-{s}", then(disk, cut((disk.last_usable_lba - 20) * s)))
        add(f"shorter-not-whole-sectors-{s}", then(disk, cut(disk.backup_array_lba * s - 100)))
        last_entry = disk.entries[6]
        add(f"truncated-data-{s}", then(disk, cut((last_entry.last_lba - 5) * s)), ALLOW)
        add(f"truncated-data-not-whole-sectors-{s}", then(disk, cut(last_entry.last_lba * s - 77)), ALLOW)
        add(f"truncated-entry-wholly-{s}", then(disk, cut((last_entry.first_lba - 5) * s)), ALLOW)
    full = tight()
    add("truncated-full-disk-512", then(full, cut(full.size - 100 * 512)), ALLOW)


def tight() -> Disk:
    """The last entry reaches LastUsableLBA: nothing can be taken away."""
    entries = standard_entries(512)
    last = Disk().last_usable_lba
    return Disk(entries=entries | {6: replace(entries[6], last_lba=last)})


# A primary that is not usable


BACKUP = {"table": "backup"}


def add_primaries() -> None:
    for s in (512, 4096):
        disk = Disk(sector_size=s, header_size=96, primary_tail=b"primary" * 9, backup_tail=b"BACKUP" * 9)
        out = Disk(sector_size=s, primary_array_lba=8, first_usable_lba=42, backup_tail=b"BACKUP" * 9)
        size = disk.size
        add(f"primary-header-crc-{s}", then(disk, flips(s + 56)))
        add(f"primary-header-erased-{s}", then(disk, erase(s, s)))
        add(f"primary-signature-{s}", then(disk, flips(s)))
        add(f"primary-array-crc-{s}", then(disk, flips(2 * s + 130)))
        add(f"primary-both-erased-{s}", then(disk, erase(s, s + 16384)))
        add(f"primary-elsewhere-{s}", then(out, flips(s + 56)))
        add(f"primary-elsewhere-signature-{s}", then(out, flips(s)))
        add(f"primary-elsewhere-array-{s}", then(out, flips(s + 56, 8 * s + 3)))
        add(f"primary-crc-longer-{s}", then(disk, flips(s + 56), extend(size + 50 * s, size)))
        add(f"primary-erased-longer-{s}", then(disk, erase(s, s), extend(size + 50 * s, size)))
        add(f"primary-alternate-wrong-{s}", then(disk, flips(s + 32)))
        add(f"primary-and-backup-header-{s}", then(disk, flips(s + 56, disk.last_lba * s + 56)))
        add(f"primary-and-backup-array-{s}", then(disk, flips(2 * s + 130, disk.backup_array_lba * s + 130)))
    # An enlarged disk whose table was being rewritten: the old header still names the backup of the small disk.
    small, enlarged = Disk(), Disk(last_lba=6143, entries={2: Entry(LINUX_DATA, guid("new"), 2048, 4095)})
    add("primary-torn-while-enlarged-512", then(enlarged, overwrite_table(small), flips(2 * 512 + 130)))
    tightly = Disk(primary_array_lba=34, first_usable_lba=66)
    add("primary-array-far-512", then(tightly, flips(512 + 56)))
    small = Disk(entry_count=8, primary_array_lba=3, first_usable_lba=5)
    add("primary-array-padding-512", then(small, flips(512 + 56)))
    padded = Disk(entry_count=5, array_padding=True)
    add("primary-padding-differs-512", then(padded, flips(512 + 56)))
    add("primary-padding-erased-512", then(padded, flips(512)))
    # An array of 32 sectors at LBA 2 ends directly before LBA 34.
    add("primary-no-room-512", then(Disk(first_usable_lba=33), erase(512, 512)))
    # Room at LBA 2 is not needed where the damaged primary's own array lies.
    behind = Disk(primary_array_lba=2, first_usable_lba=34)
    add("primary-just-room-512", then(behind, erase(512, 512)))


# More tables than the two of one disk


def enlarged(stale: Disk, *changes: Callable[[Path], None], disk: Disk | None = None) -> Callable[[Path], None]:
    """An image on a larger disk: the backup of the image stays where it was, that of the larger disk in its last LBA."""
    disk = disk or Disk(sector_size=stale.sector_size)
    return then(stale, overwrite_table(disk), lambda path: write_at(path, 0, disk.mbr()), *changes)


def other_disk(s: int, **knobs) -> Disk:
    """Of 3 MiB, with one partition."""
    first, last = (2048, 4095) if s == 512 else (256, 511)
    entry = Entry(LINUX_DATA, guid("foreign"), first, last, 0, "foreign")
    return Disk(sector_size=s, last_lba=3 * MIB // s - 1, entries={2: entry}, **knobs)


def foreign_disk(s: int, **knobs) -> Disk:
    return other_disk(s, disk_guid=guid("foreign disk"), **knobs)


def only_tail(disk: Disk) -> Callable[[Path], None]:
    """Writes the backup table of a disk, and nothing else of it."""

    def change(path: Path) -> None:
        write_at(path, disk.backup_array_lba * disk.sector_size, disk.array())
        write_at(path, disk.last_lba * disk.sector_size, disk.header(primary=False))

    return change


def write_empty(path: Path) -> None:
    """What sgdisk writes over a table that it cannot read."""
    empty = Disk(entries={})
    write_at(path, 512, empty.header(primary=True))
    write_at(path, 2 * 512, empty.array())


def shift(count: int) -> Callable[[Path], None]:
    """Without the first bytes, or with as many more in front."""

    def change(path: Path) -> None:
        data = path.read_bytes()
        path.write_bytes(data[count:] if count > 0 else pattern(0, -count, 0x33) + data)

    return change


def add_more_tables() -> None:
    for s in (512, 4096):
        old, foreign, mine = other_disk(s), foreign_disk(s), Disk(sector_size=s)
        array, guid_at = 2 * s + 130, s + 60
        for name, stale in {"foreign": foreign, "old": old}.items():
            add(f"two-backups-{name}-{s}", enlarged(stale))
            add(f"two-backups-{name}-array-crc-{s}", enlarged(stale, flips(array)))
            add(f"two-backups-{name}-header-crc-{s}", enlarged(stale, flips(s + 40)))
            add(f"two-backups-{name}-header-and-array-{s}", enlarged(stale, flips(s + 40, array)))
            add(f"two-backups-{name}-guid-{s}", enlarged(stale, flips(guid_at)))
            add(f"two-backups-{name}-guid-and-array-{s}", enlarged(stale, flips(guid_at, array)))
            add(f"two-backups-{name}-erased-{s}", enlarged(stale, erase(s, s)))
            own = mine.last_lba * s + 40
            add(f"two-backups-{name}-alone-{s}", enlarged(stale, flips(array, own)))
        same = replace(old, entries=mine.entries)
        add(f"two-backups-same-{s}", enlarged(same, flips(array)))
        add(f"two-backups-same-valid-{s}", enlarged(same))
        # The header was still to be rewritten: it names the old array, and the new one stands there.
        new_array = lambda path, old=old, s=s: write_at(path, 2 * s, old.array())  # noqa: E731
        add(f"two-backups-array-rewritten-{s}", enlarged(old, new_array))
        add(f"two-backups-array-rewritten-header-torn-{s}", enlarged(old, new_array, flips(s + 16)))
        out = Disk(sector_size=s, primary_array_lba=8, first_usable_lba=42)
        add(f"primary-elsewhere-array-only-{s}", then(out, flips(8 * s + 3)))
        add(f"first-sector-missing-{s}", then(mine, shift(s)))
        add(f"first-sector-twice-{s}", then(mine, shift(-s)))
    large = Disk(sector_size=4096, last_lba=4 * MIB // 4096 - 1)
    on_large = [extend(large.size, 2 * MIB), only_tail(large)]
    from_4096 = {"sector-size": "4096", "table": "backup"}
    add("backup-of-4096-left-512", then(Disk(), *on_large), from_4096)
    add("backup-of-4096-left-array-crc-512", then(Disk(), *on_large, flips(2 * 512 + 130)), from_4096)
    add("backup-of-4096-left-alone-512", then(Disk(), *on_large, flips(1024 + 130, 4095 * 512)), from_4096)
    add("empty-over-backup-512", then(Disk(), write_empty))
    add("empty-left-behind-512", then(Disk(), extend(3 * MIB, 2 * MIB), overwrite_table(replace(other_disk(512), entries={}))))


# Entries and disks of odd shape


def add_shapes() -> None:
    add("full-512", tight().write)
    entries = standard_entries(512)
    add("full-but-one-512", replace_entries(tight(), {6: ending(entries[6], tight().last_usable_lba - 1)}).write)
    outside = Disk(backup_array_lba=4000, last_usable_lba=3980)
    add("entry-outside-usable-512", replace_entries(outside, {6: ending(entries[6], 3990)}).write)
    between = Disk(backup_array_lba=4000, last_usable_lba=3980)
    add("entry-behind-backup-array-512", replace_entries(between, {6: extent(entries[6], 4040, 4060)}).write)
    beyond = then(replace_entries(Disk(), {6: extent(entries[6], 4100, 4140)}), extend(4200 * 512, 4096 * 512))
    add("entry-behind-backup-512", beyond)
    add("entries-overlap-512", Disk(entries=entries | {3: extent(entries[2], 100, 600)}).write)
    add("entry-one-sector-512", Disk(entries=entries | {6: extent(entries[6], 2048, 2048)}).write)
    add("last-usable-over-array-512", Disk(last_usable_lba=4094).write)
    add("last-usable-over-array-no-backup-512", then(Disk(last_usable_lba=4094), erase(4063 * 512, 33 * 512)))
    behind = Disk(primary_array_lba=3920, first_usable_lba=64, last_usable_lba=3900)
    add("array-primary-behind-usable-512", behind.write)
    holes = [(0, MIB), (5 * MIB, 65536), (7 * MIB, MIB)]
    add("holes-512", Disk(last_lba=8 * MIB // 512 - 1, data=holes).write)
    add("holes-4096", Disk(sector_size=4096, last_lba=8 * MIB // 4096 - 1, data=holes).write)
    add("holes-everywhere-512", Disk(last_lba=8 * MIB // 512 - 1, data=[]).write)
    add("holes-odd-size-512", Disk(last_lba=8 * MIB // 512 - 4, data=holes[:2]).write)
    add("old-backup-in-hole-512", then(Disk(last_lba=8 * MIB // 512 - 1, data=[]), cut(32 * MIB)))
    add("smallest-disk-512", Disk(last_lba=6, entry_count=4, entries=few_entries(3, 4)).write)
    add("many-entries-512", Disk(entry_count=128, entries=many_entries()).write)
    add("array-16-mib-512", sixteen_mib().write, large=True)
    add("stale-512-header-4096", stale_512_header, {"sector-size": "4096"})
    add("sector-size-wrong-512", Disk().write, {"sector-size": "4096"}, {"sector-size": "512"})
    add("sector-size-wrong-4096", Disk(sector_size=4096).write, {"sector-size": "4096"}, {"sector-size": "512"})


def ending(entry: Entry, last_lba: int) -> Entry:
    return replace(entry, last_lba=last_lba)


def extent(entry: Entry, first_lba: int, last_lba: int) -> Entry:
    return replace(entry, first_lba=first_lba, last_lba=last_lba, partition_guid=guid(f"{first_lba}"))


def replace_entries(disk: Disk, entries: Mapping[int, Entry]) -> Disk:
    return replace(disk, entries=dict(disk.entries) | dict(entries))


def many_entries() -> dict[int, Entry]:
    return {n: Entry(LINUX_DATA, guid(f"many {n}"), 64 + 20 * n, 64 + 20 * n + 15, n, f"n{n}") for n in range(1, 129)}


def sixteen_mib() -> Disk:
    count = 16 * MIB // 128
    first = 2 + 16 * MIB // 512
    last = 40 * MIB // 512 - 1
    extents = few_entries(first + 10, first + 1000)
    data = [((first + 10) * 512, 990 * 512)]
    return Disk(entry_count=count, last_lba=last, entries=extents, data=data)


def stale_512_header(path: Path) -> None:
    """A 4096-byte disk that once had a table in 512-byte sectors: that header lies in the rest of LBA 0."""
    disk = Disk(sector_size=4096)
    disk.write(path)
    write_at(path, 512, Disk().header(primary=True))


# Tables to refuse


def rewrite_primary(**fields: int | bytes) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        write_at(path, 512, sealed(read_at(path, 512, 512), **fields))

    return change


def add_refused() -> None:
    disk = Disk()
    for name, fields in {
        "revision": {"revision": 0x00020000},
        "header-size-91": {"header_size": 91},
        "header-size-513": {"header_size": 513},
        "my-lba": {"my_lba": 2},
        "entry-size-0": {"size_of_partition_entry": 0},
        "entry-size-64": {"size_of_partition_entry": 64},
        "entry-size-192": {"size_of_partition_entry": 192},
        "entry-size-384": {"size_of_partition_entry": 384},
        "entry-count-0": {"number_of_partition_entries": 0},
        "entry-count-max": {"number_of_partition_entries": MAX_U32},
        "entry-count-and-size-max": {"number_of_partition_entries": MAX_U32, "size_of_partition_entry": 1 << 31},
        "array-over-16-mib": {"number_of_partition_entries": 16 * MIB // 128 + 1},
        "array-outside": {"partition_entry_lba": 4090},
        "array-overflow": {"partition_entry_lba": (1 << 64) - 1},
        "array-over-header": {"partition_entry_lba": 1},
        "array-at-0": {"partition_entry_lba": 0},
        "array-over-usable": {"partition_entry_lba": 3},
        "array-crc": {"partition_entry_array_crc32": 0},
    }.items():
        add(f"refused-{name}-512", then(disk, rewrite_primary(**fields)))
        add(f"refused-{name}-no-backup-512", then(disk, rewrite_primary(**fields), erase(4095 * 512, 512)))
    add("refused-empty-file", lambda path: path.write_bytes(b""))
    add("refused-one-sector", lambda path: path.write_bytes(pattern(0, 512)))
    add("refused-two-sectors", lambda path: path.write_bytes(disk.mbr() + disk.header(primary=True)))
    add("refused-no-gpt", lambda path: path.write_bytes(pattern(0, 2 * MIB)))
    add("refused-zeros", lambda path: path.write_bytes(bytes(2 * MIB)))
    add("refused-alternate-max-512", then(disk, rewrite_primary(alternate_lba=(1 << 64) - 1)))
    add("refused-last-usable-max-512", then(disk, rewrite_primary(last_usable_lba=(1 << 64) - 1)))


add_esxi()
add_tools()
add_arrays()
add_headers()
add_mbrs()
add_backups()
add_lengths()
add_primaries()
add_more_tables()
add_shapes()
add_refused()


def write_images(folder: Path, names: Sequence[str] = ()) -> dict[str, str]:
    """Writes images as folder/NAME.raw; returns the reasons of those that were skipped."""
    skipped = {}
    for name in names or CATALOGUE:
        path = folder / f"{name}.raw"
        try:
            CATALOGUE[name].make(path)
        except Skipped as why:
            path.unlink(missing_ok=True)
            skipped[name] = str(why)
    return skipped


def main(arguments: Sequence[str]) -> int:
    if arguments == ["--list"]:
        print("\n".join(CATALOGUE))
        return 0
    if not arguments or arguments[0].startswith("-"):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    folder, names = Path(arguments[0]), arguments[1:]
    unknown = [name for name in names if name not in CATALOGUE]
    if unknown:
        print(f"no such image: {', '.join(unknown)}", file=sys.stderr)
        return 2
    folder.mkdir(parents=True, exist_ok=True)
    for name, why in write_images(folder, names).items():
        print(f"skipped {name}: {why}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
