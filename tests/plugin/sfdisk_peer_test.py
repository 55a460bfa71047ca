#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What the plugin serves equals what `sfdisk --relocate gpt-bak-std` makes of a grown copy, but for named differences.

    sfdisk_peer_test.py [--image NAME]... [--jobs N]

sfdisk leaves the old backup where it was, so the plugin runs with old-backup=keep. Each difference that is let pass has
a name in ALLOWED and a condition on the values; any other fails, and so does a name that no image needs.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from images import gpt  # noqa: E402
from images.catalogue import CATALOGUE, write_images  # noqa: E402
from images.gpt import Header, ceil_div, sealed  # noqa: E402
from plugin import nbdkit  # noqa: E402

SECTOR = 512
GIB, TIB = 1 << 30, 1 << 40
READ_AT_ONCE = 1 << 20
MAX_U32 = 0xFFFFFFFF

# Images whose disk sfdisk does not take for a GPT disk at all, or does not write to.
SFDISK_DOES_NOT_WRITE = {
    "mbr-no-records-512": "no protective record",
    "mbr-only-other-types-512": "no protective record",
    "mbr-no-55aa-512": "no MBR signature",
    "entries-overlap-512": "overlapping partitions",
}


class Unexplained(Exception):
    pass


@dataclass(frozen=True)
class Difference:
    """One field that differs, with the values of all three disks; integers for numbers, bytes otherwise."""

    ours: int | bytes
    theirs: int | bytes
    image: int | bytes
    disk: Disk


@dataclass(frozen=True)
class Disk:
    """The grown disk and the table on it, as far as the conditions need them."""

    size: int
    primary: Header
    our_backup: Header
    their_backup: Header
    image_backup: bytes  # the sector at the image's own AlternateLBA, empty past the end of the file

    @property
    def last_lba(self) -> int:
        return self.size // SECTOR - 1

    @property
    def array_sectors(self) -> int:
        return ceil_div(self.primary.array_size, SECTOR)

    @property
    def standard_array_lba(self) -> int:
        return self.last_lba - self.array_sectors


@dataclass(frozen=True)
class Rule:
    why: str
    holds: Callable[[Difference], bool]


def is_last_usable(d: Difference) -> bool:
    return d.theirs == d.disk.standard_array_lba - 1


def stays_at_own_size(d: Difference) -> bool:
    """At the image's own size sfdisk writes no header when it finds two that it takes for valid."""
    return d.theirs in (d.image, d.disk.primary.last_usable_lba) and d.disk.last_lba == d.disk.primary.alternate_lba


def is_old_backups(name: str) -> Callable[[Difference], bool]:
    return lambda d: bool(d.disk.image_backup) and d.theirs == getattr(Header(d.disk.image_backup), name)


ALLOWED = {
    "mbr boot_indicator": Rule("sfdisk clears the active flag", lambda d: d.theirs == 0 and d.ours == d.image),
    "mbr starting_chs": Rule("sfdisk sets its own", lambda d: d.theirs == b"\x00\x02\x00" and d.ours == d.image),
    "mbr ending_chs": Rule("sfdisk sets its own", lambda d: d.theirs == b"\xff\xff\xff" and d.ours == d.image),
    "mbr starting_lba": Rule("sfdisk moves a protective record to 1", lambda d: d.theirs == 1 and d.ours == d.image),
    "mbr size_in_lba": Rule(
        "sfdisk sets the size of the disk, whatever the image's convention (0xFFFFFFFF, LastUsableLBA, 0, ...)",
        lambda d: d.theirs == min(d.disk.last_lba, MAX_U32),
    ),
    "mbr size_in_lba, hybrid": Rule("sfdisk lets a hybrid MBR be", lambda d: d.theirs == d.image != d.ours),
    "primary last_usable_lba": Rule("sfdisk takes all up to the array", is_last_usable),
    "backup last_usable_lba": Rule("sfdisk takes all up to the array", is_last_usable),
    "primary header_crc32": Rule("follows from other fields", lambda d: True),
    "backup header_crc32": Rule("follows from other fields", lambda d: True),
    "backup partition_entry_lba": Rule(
        "sfdisk closes a gap between the backup array and its header",
        lambda d: d.theirs == d.disk.standard_array_lba,
    ),
    "backup rest of sector": Rule(
        "sfdisk builds a missing backup header with zeros behind its fields", lambda d: not any(d.theirs)
    ),
    "backup rest of sector, other table": Rule(
        "sfdisk goes on with a backup that is not one of this table",
        lambda d: bool(d.disk.image_backup) and d.theirs == d.disk.image_backup[gpt.HEADER_FIELDS_END :],
    ),
    "backup revision": Rule("sfdisk keeps a backup of another revision", is_old_backups("revision")),
    "backup disk_guid": Rule("sfdisk keeps a backup of another disk", is_old_backups("disk_guid")),
    "backup first_usable_lba": Rule("sfdisk keeps a backup of another layout", is_old_backups("first_usable_lba")),
    "primary last_usable_lba, unmoved": Rule("sfdisk lets it reach over the array", stays_at_own_size),
    "backup last_usable_lba, unmoved": Rule("sfdisk keeps a backup of another layout", stays_at_own_size),
    "backup alternate_lba, unmoved": Rule("sfdisk keeps a backup that points elsewhere", stays_at_own_size),
    "backup partition_entry_lba, unmoved": Rule("sfdisk keeps a backup with the primary's array", stays_at_own_size),
    "array place": Rule("each has the array where its own backup header says", lambda d: True),
    "array padding": Rule("sfdisk writes no padding behind the array", lambda d: True),
}


@dataclass
class Outcome:
    passed: int = 0
    skipped: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    used: Counter = field(default_factory=Counter)


# --- Naming the differences ------------------------------------------------------------------------------------------


def explain(names: list[str], difference: Difference) -> str:
    """The first of these rules that holds for the difference."""
    for name in names:
        if name in ALLOWED and ALLOWED[name].holds(difference):
            return name
    values = f"served {difference.ours!r}, sfdisk {difference.theirs!r}, image {difference.image!r}"
    raise Unexplained(f"{names[0]}: {values}")


def explain_mbr(ours: bytes, theirs: bytes, image: bytes, disk: Disk) -> Iterator[str]:
    records = range(gpt.MBR_RECORDS_OFFSET, gpt.MBR_RECORDS_OFFSET + 4 * gpt.MBR_RECORD_SIZE)
    for at in range(SECTOR):
        if at not in records and ours[at] != theirs[at]:
            raise Unexplained(f"MBR byte {at}: served {ours[at]:#x}, sfdisk {theirs[at]:#x}")
    for triple in zip(gpt.mbr_records(ours), gpt.mbr_records(theirs), gpt.mbr_records(image), strict=True):
        for name in gpt.MBR_RECORD_FIELDS:
            values = [getattr(record, name) for record in triple]
            if values[0] != values[1]:
                yield explain([f"mbr {name}", f"mbr {name}, hybrid"], Difference(*values, disk))


def explain_header(which: str, ours: bytes, theirs: bytes, image: bytes, disk: Disk) -> Iterator[str]:
    if sealed(theirs) != theirs:
        raise Unexplained(f"{which} header: sfdisk's own CRC is wrong")
    triple = [Header(ours), Header(theirs), Header(image or bytes(SECTOR))]
    for name in gpt.HEADER_FIELDS:
        values = [getattr(header, name) for header in triple]
        if values[0] != values[1]:
            yield explain([f"{which} {name}", f"{which} {name}, unmoved"], Difference(*values, disk))
    rests = [header.sector[gpt.HEADER_FIELDS_END :] for header in triple]
    if rests[0] != rests[1]:
        name = f"{which} rest of sector"
        yield explain([name, f"{name}, other table"], Difference(*rests, disk))


def explain_array(lba: int, ours: bytes, theirs: bytes, array: bytes, disk: Disk) -> str:
    """Differences are fine where each disk holds the array at the place that its own header tells."""
    size = disk.primary.array_size
    for what, found, header in (("served", ours, disk.our_backup), ("sfdisk", theirs, disk.their_backup)):
        at = (lba - header.partition_entry_lba) * SECTOR
        wanted = array[at : min(at + SECTOR, size)] if at >= 0 else b""
        if found[: len(wanted)] != wanted:
            raise Unexplained(f"LBA {lba}: {what} has another array than the image")
    same_place = disk.our_backup.partition_entry_lba == disk.their_backup.partition_entry_lba
    return "array padding" if same_place else "array place"


def array_lbas(disk: Disk) -> set[int]:
    starts = (disk.our_backup.partition_entry_lba, disk.their_backup.partition_entry_lba)
    return {start + i for start in starts for i in range(disk.array_sectors)}


def differing_sectors(client: nbdkit.Client, copy_fd: int, size: int) -> Iterator[tuple[int, bytes, bytes]]:
    for start, end in sorted(data_ranges(client, copy_fd, size)):
        for at in range(start, end, READ_AT_ONCE):
            length = min(READ_AT_ONCE, end - at)
            ours, theirs = client.read(at, length), os.pread(copy_fd, length, at)
            if ours == theirs:
                continue
            for i in range(0, length, SECTOR):
                if ours[i : i + SECTOR] != theirs[i : i + SECTOR]:
                    yield (at + i) // SECTOR, ours[i : i + SECTOR], theirs[i : i + SECTOR]


def data_ranges(client: nbdkit.Client, copy_fd: int, size: int) -> set[tuple[int, int]]:
    """Where either disk has data; what both call holes is zero in both."""
    image_end = os.fstat(copy_fd).st_size if size <= 64 * GIB else 64 * GIB
    ranges = {(e.start, e.end) for e in client.extents(0, image_end) if not e.is_hole}
    ranges |= {(e.start, e.end) for e in client.extents(max(0, size - GIB), size) if not e.is_hole}
    at = 0
    while at < size:
        try:
            start = os.lseek(copy_fd, at, os.SEEK_DATA)
        except OSError:
            break
        at = os.lseek(copy_fd, start, os.SEEK_HOLE)
        ranges.add((start, at))
    return ranges


# --- One image at one size -------------------------------------------------------------------------------------------


def grown_copy(image: Path, copy: Path, size: int) -> str:
    """An empty string, or why sfdisk did not do it."""
    subprocess.run(["cp", "--sparse=always", image, copy], check=True)
    os.truncate(copy, size)
    done = subprocess.run(["sfdisk", "--relocate", "gpt-bak-std", copy], capture_output=True, text=True)
    return (done.stdout + done.stderr).strip() if done.returncode else ""


def compare(image: Path, copy: Path, size: int) -> Counter:
    used: Counter = Counter()
    arguments = [f"file={image}", f"size={size}", "old-backup=keep"]
    with open(image, "rb") as image_file, open(copy, "rb") as copy_file, nbdkit.served(arguments) as client:

        def of_image(lba: int) -> bytes:
            return os.pread(image_file.fileno(), SECTOR, lba * SECTOR)

        def of_copy(lba: int) -> bytes:
            return os.pread(copy_file.fileno(), SECTOR, lba * SECTOR)

        last = size // SECTOR - 1
        primary = Header(of_image(1))
        our_backup = Header(client.read(last * SECTOR, SECTOR))
        image_backup = of_image(primary.alternate_lba)
        image_backup = image_backup if image_backup.startswith(gpt.SIGNATURE) else b""
        array = os.pread(image_file.fileno(), primary.array_size, primary.partition_entry_lba * SECTOR)
        disk = Disk(size, primary, our_backup, Header(of_copy(last)), image_backup)
        for lba, ours, theirs in differing_sectors(client, copy_file.fileno(), size):
            if lba == 0:
                used.update(explain_mbr(ours, theirs, of_image(0), disk))
            elif lba == 1:
                used.update(explain_header("primary", ours, theirs, of_image(1), disk))
            elif lba == last:
                used.update(explain_header("backup", ours, theirs, image_backup, disk))
            elif lba in array_lbas(disk):
                used.update([explain_array(lba, ours, theirs, array, disk)])
            else:
                raise Unexplained(f"LBA {lba}: served {ours[:16].hex(' ')}..., sfdisk {theirs[:16].hex(' ')}...")
    return used


def sizes_of(image: Path, number: int) -> list[int]:
    """Two sizes, others for every other image, or all where the backup is odd, and one where the table is large; the table's
    own disk does not shrink at any: there sfdisk does not write."""
    with open(image, "rb") as file:
        table_size = (Header(os.pread(file.fileno(), SECTOR, SECTOR)).alternate_lba + 1) * SECTOR
    own = ceil_div(image.stat().st_size, SECTOR) * SECTOR
    least = max(table_size, own)
    sizes = [least, least + SECTOR, least + 34 * SECTOR, 3 * TIB]
    if CATALOGUE[image.stem].large:
        return sizes[1:2]  # sfdisk takes ten seconds for each
    return sizes if image.name.startswith("backup-") else sizes[number % 2 :: 2]


def check_image(work: tuple[str, Path]) -> Outcome:
    name, folder = work
    outcome = Outcome()
    image, copy = folder / f"{name}.raw", folder / f"{name}.copy"
    if write_images(folder, [name]):
        outcome.skipped.append(name)
        return outcome
    for size in sizes_of(image, zlib.crc32(name.encode())):
        try:
            failed = grown_copy(image, copy, size)
            if failed:
                raise Unexplained(f"sfdisk failed: {failed}")
            outcome.used += compare(image, copy, size)
            outcome.passed += 1
        except (Unexplained, nbdkit.ServerError) as why:
            outcome.failures.append(f"{name} at {size}: {why}")
        finally:
            copy.unlink(missing_ok=True)
    image.unlink()
    return outcome


def candidates() -> list[str]:
    """Images with 512-byte sectors that the contract serves from their primary table at all larger sizes."""
    unfit = ("refused-", "primary-", "truncated-", "two-backups-", "first-sector-", "backup-of-4096-left-",
             "array-primary-behind", "entry-behind-backup-array")
    return [
        name
        for name in CATALOGUE
        if name.endswith("-512") and not name.startswith(unfit) and name not in SFDISK_DOES_NOT_WRITE
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description="compare served disks with what sfdisk makes of a grown copy")
    parser.add_argument("--image", action="append", choices=candidates(), metavar="NAME", help="only this; repeatable")
    # sfdisk sleeps and syncs more than it computes.
    parser.add_argument("--jobs", type=int, default=4 * (os.cpu_count() or 1))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        nbdkit.keep_plugin(Path(folder))
        work = [(name, Path(folder)) for name in arguments.image or candidates()]
        with multiprocessing.Pool(arguments.jobs) as pool:
            outcomes = list(pool.imap_unordered(check_image, work))
    failures = sorted(failure for outcome in outcomes for failure in outcome.failures)
    used = sum((outcome.used for outcome in outcomes), Counter())
    if not arguments.image:
        failures += [f"the difference {name!r} is allowed for no image" for name in ALLOWED if name not in used]
    for name, rule in ALLOWED.items():
        print(f"{used[name]:6} {name}: {rule.why}", file=sys.stderr)
    for failure in failures:
        print(f"FAILED {failure}", file=sys.stderr)
    skipped = sum(len(outcome.skipped) for outcome in outcomes)
    passed = sum(outcome.passed for outcome in outcomes)
    print(f"{passed} passed, {len(failures)} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
