#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Each refusal of the contract: the message names what was found and expected, nothing is served, the image stays."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from images import gpt  # noqa: E402
from images.catalogue import BASIC_DATA, Disk, guid, read_at, then, write_at  # noqa: E402
from plugin import nbdkit  # noqa: E402

MAX = (1 << 63) - 1


def header(lba: int = 1, size: int = 512, **fields: int | bytes) -> Callable[[Path], None]:
    """Sets header fields and makes the header's CRC right, so that nothing else is wrong."""

    def change(path: Path) -> None:
        write_at(path, lba * size, gpt.sealed(read_at(path, lba * size, size), **fields))

    return change


def unsealed(lba: int = 1, **fields: int | bytes) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        write_at(path, lba * 512, gpt.patched(read_at(path, lba * 512, 512), **fields))

    return change


def no_backup(path: Path) -> None:
    write_at(path, 4095 * 512, bytes(512))


def one_entry(first: int, last: int) -> Disk:
    return Disk(entries={5: gpt.Entry(BASIC_DATA, guid("five"), first, last)})


def cut(size: int) -> Callable[[Path], None]:
    return lambda path: os.truncate(path, size)


def blank(path: Path) -> None:
    path.write_bytes(bytes(1 << 20))


@dataclass(frozen=True)
class Case:
    """The message is a pattern; IMAGE in it stands for the image's path."""

    name: str
    make: Callable[[Path], None]
    message: str
    options: tuple[str, ...] = ("size=8M",)


def damaged(*changes: Callable[[Path], None], disk: Disk | None = None) -> Callable[[Path], None]:
    return then(disk or Disk(), no_backup, *changes)


WHOLE = Disk().write

CASES = [
    # No GPT, and each check of a header
    Case("no-gpt", blank, r'IMAGE: no GPT: primary header at LBA 1 .*signature .*, expected "EFI PART"; neither for 512'),
    Case("empty-file", lambda path: path.write_bytes(b""), r"IMAGE: no GPT: 0 bytes long"),
    Case("one-sector", lambda path: path.write_bytes(bytes(512)), r"IMAGE: no GPT: 512 bytes long"),
    Case("signature", damaged(header(signature=b"EFI PARX")), r'signature "EFI PARX", expected "EFI PART"'),
    Case("half-a-signature", damaged(header(signature=b"EFI \0\0\0\0")), r'signature "EFI \\x00.*expected "EFI PART"'),
    Case("revision", damaged(header(revision=0x20000)), r"primary header at LBA 1: revision 0x00020000, expected 0x00010000"),
    Case("crc", damaged(unsealed(header_crc32=7)), r"primary header at LBA 1: CRC 0x00000007, expected 0x[0-9a-f]{8}; there is no"),
    Case("my-lba", damaged(header(my_lba=2)), r"primary header at LBA 1: MyLBA 2, expected 1"),
    Case("header-size-91", damaged(header(header_size=91)), r"HeaderSize 91, expected 92 to 512"),
    Case("header-size-513", damaged(unsealed(header_size=513)), r"HeaderSize 513, expected 92 to 512"),
    Case("header-size-huge", damaged(unsealed(header_size=0xFFFFFFFF)), r"HeaderSize 4294967295, expected 92 to 512"),
    *(
        Case(f"entry-size-{size}", damaged(header(size_of_partition_entry=size)), rf"SizeOfPartitionEntry {size}, expected 128")
        for size in (0, 64, 127, 192, 384, 0xFFFFFFFF)
    ),
    Case("no-entries", damaged(header(number_of_partition_entries=0)), r"NumberOfPartitionEntries 0, expected at least 1"),
    Case("array-over-16-mib", damaged(header(number_of_partition_entries=131073)),
         r"partition entry array 16777344 bytes, expected at most 16777216 bytes"),
    Case("array-size-overflows", damaged(header(number_of_partition_entries=0xFFFFFFFF, size_of_partition_entry=1 << 31)),
         r"partition entry array 9223372034707292160 bytes, expected at most"),
    Case("array-crc", damaged(header(partition_entry_array_crc32=5)),
         r"partition entry array: CRC 0x00000005, expected 0x[0-9a-f]{8}"),
    Case("array-outside-the-file", damaged(header(first_usable_lba=9100, last_usable_lba=9999, partition_entry_lba=9000)),
         r"partition entry array ends at byte \d+, expected inside the file of 2097152 bytes"),
    *(
        Case(f"array-at-{lba}", damaged(header(partition_entry_lba=lba)), rf"PartitionEntryLBA {lba} .*expected an array after LBA 1")
        for lba in (0, 1, 3, 34, 2000)
    ),
    Case("array-at-the-end-of-numbers", damaged(header(partition_entry_lba=(1 << 64) - 1)),
         r"PartitionEntryLBA 18446744073709551615, expected at most 18014398509481982"),
    Case("usable-area-upside-down", damaged(header(first_usable_lba=4000, last_usable_lba=3000)),
         r"FirstUsableLBA 4000, expected at most LastUsableLBA 3000"),
    Case("alternate-at-the-end-of-numbers", damaged(header(alternate_lba=(1 << 64) - 1)),
         r"AlternateLBA 18446744073709551615, expected at most"),
    Case("other-sector-size", WHOLE, r'signature .*, expected "EFI PART"', ("size=8M", "sector-size=4096")),
    # Two tables
    Case("only-the-backup", then(Disk(), header(my_lba=2)), r"MyLBA 2, expected 1; the backup at LBA 4095 is valid; table=backup would"),
    Case("only-the-backup-no-signature", then(Disk(), header(signature=bytes(8))), r"table=backup would serve from it"),
    Case("backup-wanted-none-there", then(Disk(), no_backup), r"no backup GPT: no signature in the last LBA, 4095",
         ("size=8M", "table=backup")),
    Case("backup-wanted-but-damaged", then(Disk(), unsealed(4095, header_crc32=9)),
         r"backup header at LBA 4095: CRC 0x00000009, expected 0x", ("size=8M", "table=backup")),
    Case("backup-leaves-no-room", then(Disk(first_usable_lba=34), header(4095, first_usable_lba=20), header(signature=bytes(8))),
         r"FirstUsableLBA 20, expected at least 34", ("size=8M", "table=backup")),
    # Missing data
    Case("truncated", then(one_entry(100, 3000), cut(3000 * 512)),
         r"slot 5: EndingLBA 3000, expected below 3000, where the file of 1536000 bytes ends: .*truncated=allow"),
    # Sizes
    Case("not-a-multiple", WHOLE, r"size 2097153 is not a multiple of the 512-byte sector; the nearest are 2097152 and 2097664",
         ("size=2097153",)),
    Case("not-a-multiple-of-4096", Disk(sector_size=4096).write, r"size 2097664 is not .*the 4096-byte .* 2097152 and 2101248",
         ("size=2097664",)),
    Case("not-a-multiple-at-the-end", WHOLE, rf"the nearest are {MAX - 511}$", (f"size={MAX}",)),
    Case("too-large", WHOLE, rf"more than {MAX} bytes, the largest possible", ("size=8E",)),
    Case("too-large-by-adding", WHOLE, r"the largest possible", (f"size=+{MAX}",)),
    Case("too-small-for-an-entry", one_entry(100, 3000).write,
         rf"slot 5 ends at LBA 3000, .*the smallest possible size is {(3000 + 1 + 33) * 512} bytes", ("size=1M",)),
    Case("too-small-for-the-table", one_entry(0, 0).write,
         rf"too small: LastUsableLBA would be .*the smallest possible size is {(34 + 1 + 33) * 512} bytes", ("size=20K",)),
    Case("size-zero", WHOLE, r"too small", ("size=0",)),
    Case("new-backup-over-data", then(one_entry(100, 4080), no_backup),
         rf"slot 5 ends at LBA 4080, .*the next possible size is {(4080 + 1 + 33) * 512} bytes", ("size=+0",)),
    # Parameters
    Case("no-size", WHOLE, r"neither given, expected exactly one of size and reference", ()),
    Case("two-sizes", WHOLE, r"both given, expected exactly one of size and reference", ("size=8M", "reference=/etc/passwd")),
    Case("size-twice", WHOLE, r'size: given twice, "8M" and "9M"', ("size=8M", "size=9M")),
    Case("two-images", WHOLE, r'file: given twice, "IMAGE" and "/other"', ("file=/other", "size=8M")),
    Case("empty-size", WHOLE, r"size: empty, expected a value", ("size=",)),
    Case("empty-image", WHOLE, r"file: empty, expected a value", ("file=", "size=8M")),
    Case("empty-reference", WHOLE, r"reference: empty, expected a value", ("reference=",)),
    Case("reference-is-stdin", WHOLE, r"reference: standard input is not supported here; .* is \./-", ("reference=-",)),
    Case("no-such-reference", WHOLE, r"/nonexistent: No such file", ("reference=/nonexistent",)),
    Case("reference-no-disk", WHOLE, r"/dev/null: neither a regular file nor a block device", ("reference=/dev/null",)),
    Case("bad-size", WHOLE, r'size "64Q": expected a number with K, M, G', ("size=64Q",)),
    Case("bad-sector-size", WHOLE, r'sector-size: "1024", expected 512 or 4096', ("size=8M", "sector-size=1024")),
    Case("bad-table", WHOLE, r'table: "both", expected primary or backup', ("size=8M", "table=both")),
    Case("bad-old-backup", WHOLE, r'old-backup: "yes", expected zero or keep', ("size=8M", "old-backup=yes")),
    Case("bad-truncated", WHOLE, r'truncated: "1", expected refuse or allow', ("size=8M", "truncated=1")),
    Case("unknown-parameter", WHOLE, r"unknown parameter 'sise'", ("size=8M", "sise=8M")),
]


def stamp(path: Path) -> tuple[bytes, int]:
    return path.read_bytes(), path.stat().st_mtime_ns


def complaint(case: Case, path: Path) -> str | None:
    case.make(path)
    before = stamp(path)
    refusal = nbdkit.refused([str(path), *case.options])
    if refusal.status != 1:
        return f"exit status {refusal.status}, expected 1; {refusal.message}"
    if refusal.served:
        return f"served {refusal.served[:80]!r}"
    if not re.search(case.message.replace("IMAGE", re.escape(str(path))), refusal.message.strip()):
        return f"said {refusal.message.strip()!r}, expected {case.message!r}"
    if stamp(path) != before:
        return "the image changed"
    return None


def main() -> int:
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        for case in CASES:
            if why := complaint(case, Path(scratch, f"{case.name}.raw")):
                failed += 1
                print(f"{case.name}: {why}")
    print(f"{len(CASES) - failed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
