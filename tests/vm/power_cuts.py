#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every disk that a power cut could have left while gptgrow wrote, out of a log of dm-log-writes.

    power_cuts.py LOG SECTOR_BYTES TARGET_BYTES IMAGE

LOG holds marks: "NAME:begin" and "NAME:end" around what a command wrote. What it wrote before its last flush is on the disk;
of what came later, a volatile cache has kept any part, in whole sectors. Tried are: the disk at each flush; what lies between
two flushes without each one of its writes, with each one alone, and
100 random subsets (1,000 with GPTGROW_SOAK in the environment), half of them of torn writes.

After a restore's cut there is no valid table, or all data is there, the old or the new. After any other's there is at least
one valid table, the old or the new, and every byte that is no table's is what it was. Of each part some disks, and every one that
an extension leaves, are given to the same command again, $GPTGROW_COMMAND, which must make of them what the uncut one made.

The log without one of its flushes, and with two of its parts swapped, must show that the check can fail.
"""

from __future__ import annotations

import os
import random
import struct
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from images import gpt  # noqa: E402

MAGIC = 0x6A736677736872
FLUSH, DISCARD, MARK = 1, 4, 8
RANDOM_SUBSETS = 1000 if os.environ.get("GPTGROW_SOAK") else 100
COMPLETED_PER_PART = 2
GPTGROW = os.environ.get("GPTGROW_COMMAND", "gptgrow")


@dataclass(frozen=True)
class Write:
    offset: int
    length: int
    data: bytes | None = field(repr=False)  # none: discarded

    def apply(self, disk: bytearray, zeros: bool) -> None:
        if self.data is not None:
            disk[self.offset : self.offset + self.length] = self.data
        elif zeros:
            disk[self.offset : self.offset + self.length] = bytes(self.length)

    def torn(self, sector: int) -> list[Write]:
        return [Write(self.offset + at, sector, None if self.data is None else self.data[at : at + sector])
                for at in range(0, self.length, sector)]


Part = list[Write]  # what is written between two flushes


@dataclass
class Section:
    name: str
    base: bytes
    parts: list[Part]
    old_size: int = 0  # that of the table of the base; 0: the same

    @property
    def random_subsets(self) -> int:
        """Fewer of the extensions, of which there are many."""
        return RANDOM_SUBSETS // (10 if self.old_size else 1)

    @property
    def final(self) -> bytes:
        disk = bytearray(self.base)
        for part in self.parts:
            apply(disk, part)
        return bytes(disk)


def apply(disk: bytearray, writes: Iterable[Write], zeros: bool = True) -> None:
    for write in writes:
        write.apply(disk, zeros)


# --- The log ---------------------------------------------------------------------------------------------------------


def entries(log: Path) -> Iterator[tuple[int, int, int, bytes]]:
    """Flags, offset and length in bytes, and the data, or the text of a mark."""
    with open(log, "rb") as file:
        magic, version, count, sector = struct.unpack("<QQQI", file.read(28))
        if (magic, version) != (MAGIC, 1):
            raise SystemExit(f"{log}: magic {magic:#x}, version {version}, expected {MAGIC:#x}, 1")
        at = sector
        for _ in range(count):
            file.seek(at)
            first, sectors, flags, length = struct.unpack("<QQQQ", file.read(32))
            inline = file.read(length) if flags & MARK else b""
            at += sector
            data = b""
            if not flags & (DISCARD | MARK):
                file.seek(at)
                data = file.read(sectors * sector)
                at += sectors * sector
            yield flags, first * sector, sectors * sector, inline or data


def sections(log: Path, size: int) -> list[Section]:
    disk, found, current = bytearray(size), [], None
    for flags, offset, length, data in entries(log):
        if flags & MARK:
            text = data.rstrip(b"\0").decode()
            if text.endswith(":begin"):
                current = Section(text.removesuffix(":begin"), bytes(disk), [[]])
                found.append(current)
            elif text.endswith(":end"):
                current = None
            continue
        if current and flags & FLUSH and current.parts[-1]:
            current.parts.append([])
        if length:
            write = Write(offset, length, None if flags & DISCARD else data)
            write.apply(disk, True)
            if current:
                # One that goes past the cache is treated as the others: that it may be lost is more than can happen.
                current.parts[-1].append(write)
    for section in found:
        section.parts = [part for part in section.parts if part]
    return found


# --- Tables ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Table:
    array: bytes
    places: tuple[tuple[int, int], ...]  # of header and array, in bytes


def table_at(disk: bytes | bytearray, lba: int, s: int) -> Table | None:
    header = gpt.Header(bytes(disk[lba * s : (lba + 1) * s]))
    if not header.has_signature or not 92 <= header.header_size <= s or header.my_lba != lba:
        return None
    if header.header_crc32 != header.computed_crc32() or header.array_size > len(disk):
        return None
    start = header.partition_entry_lba * s
    array = bytes(disk[start : start + header.array_size])
    if len(array) != header.array_size or gpt.zlib.crc32(array) != header.partition_entry_array_crc32:
        return None
    return Table(array, ((lba * s, s), (start, gpt.ceil_div(len(array), s) * s)))


def tables(disk: bytes | bytearray, old_size: int = 0) -> list[Table]:
    """Those at both ends, the primary first, and at that of a disk of another size."""
    sizes = {len(disk), old_size or len(disk)}
    found = [table_at(disk, lba, s) for s in (512, 4096) for lba in [1, *(size // s - 1 for size in sizes)]]
    return [table for table in found if table]


class Rule:
    def __init__(self, section: Section, sector: int) -> None:
        self.name, self.base, self.final, self.old_size = section.name, section.base, section.final, section.old_size
        self.before, self.after = self.tables(self.base), tables(self.final)
        assert len(self.after) == 2, f"{self.name}: {len(self.after)} valid tables at the end"
        places = sorted({place for table in self.before + self.after for place in table.places} | {(0, sector)})
        self.outside, at = [], 0
        for start, length in places:
            if start > at:
                self.outside.append((at, start))
            at = max(at, start + length)
        if at < len(self.base):
            self.outside.append((at, len(self.base)))

    def tables(self, disk: bytes | bytearray) -> list[Table]:
        return tables(disk, self.old_size)

    def same_outside(self, disk: bytes | bytearray, other: bytes) -> bool:
        # Copies are compared at once, views byte by byte.
        return all(disk[start:end] == other[start:end] for start, end in self.outside)

    def broken(self, disk: bytearray) -> str:
        """What is wrong with a disk that a cut has left, or nothing."""
        found = self.tables(disk)
        old = {table.array for table in self.before}
        new = {table.array for table in self.after}
        if self.name.startswith("restore"):
            for table in found:
                if not ((table.array in old and self.same_outside(disk, self.base))
                        or (table.array in new and self.same_outside(disk, self.final))):
                    return "a valid table over data that is not all there"
            return ""
        # One that is older than the table that counts does not.
        if not any(table.array in {self.before[0].array} | new for table in found):
            return "no valid table"
        if not self.same_outside(disk, self.base):
            return "a byte that is no table's has changed"
        return ""


# --- Cuts ------------------------------------------------------------------------------------------------------------


def subsets(part: Part, sector: int, choose: random.Random, count: int) -> Iterator[list[Write]]:
    yield []
    for number in range(len(part)):
        yield part[:number] + part[number + 1 :]
        yield [part[number]]
    torn = [piece for write in part for piece in write.torn(sector)]
    for number in range(count):
        units = part if number % 2 else torn
        share = choose.choice((0.1, 0.5, 0.9))
        if number % 2 == 0 and len(units) > 512:  # far fewer are left out of a long transfer, or none is whole
            share = 1 - 1 / len(units)
        yield [unit for unit in units if choose.random() < share]


def cuts(section: Section, sector: int, choose: random.Random, count: int) -> Iterator[tuple[int, bytearray]]:
    """The number of the part that was cut, and the disk."""
    durable = bytearray(section.base)
    for number, part in enumerate(section.parts):
        for kept in subsets(part, sector, choose, count):
            disk = bytearray(durable)
            apply(disk, kept, zeros=choose.random() < 0.5)
            yield number, disk
        apply(durable, part)
    yield len(section.parts), durable


def check(section: Section, sector: int, seed: int) -> tuple[int, Counter[str], list[bytes]]:
    """How many disks, what was wrong with them, and those that are to be completed, each once."""
    choose, rule = random.Random(seed), Rule(section, sector)
    count, wrong, kept = 0, Counter(), {}
    of_part: dict[int, int] = Counter()
    for number, disk in cuts(section, sector, choose, section.random_subsets):
        count += 1
        why = rule.broken(disk)
        if why:
            wrong[f"part {number}: {why}"] += 1
        of_part[number] += 1
        if section.name.startswith("extend") or of_part[number] == 1 or (
                of_part[number] <= COMPLETED_PER_PART * 400 and of_part[number] % 400 == 0):
            written = b"".join(disk[write.offset : write.offset + write.length] for part in section.parts for write in part)
            kept.setdefault(written, bytes(disk))
    return count, wrong, list(kept.values())


def is_bad(section: Section, parts: list[Part], sector: int) -> bool:
    """Whether a cut leaves a bad disk where the section is written in these parts."""
    rule = Rule(section, sector)
    other = Section(section.name, section.base, parts, section.old_size)
    return any(rule.broken(disk) for _, disk in cuts(other, sector, random.Random(1), section.random_subsets // 10))


def planted_faults(section: Section, sector: int) -> tuple[int, int]:
    """How many of its flushes must not be left out, and how many neighbours of its parts must not be swapped."""
    parts, flushes, swaps = section.parts, 0, 0
    for number in range(len(parts) - 1):
        before, (first, second), after = parts[:number], parts[number : number + 2], parts[number + 2 :]
        flushes += is_bad(section, [*before, first + second, *after], sector)
        swaps += is_bad(section, [*before, second, first, *after], sector)
    return flushes, swaps


# --- The same command again ------------------------------------------------------------------------------------------


def run(arguments: list[str]) -> None:
    done = subprocess.run([GPTGROW, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, f"gptgrow {' '.join(arguments)}: exit status {done.returncode}: {done.stdout}{done.stderr}"


def again(name: str, image: str, disk: Path, undo: Path) -> list[str]:
    commands = {
        "restore": ["restore", image, str(disk), "--yes"],
        "repair": ["repair", str(disk), "--from", image, "--apply", "--save-undo", f"{undo}.new"],
        "undo": ["repair", str(disk), "--undo", str(undo), "--apply"],
        "extend": ["extend", str(disk), "last", "--apply", "--save-undo", f"{undo}.new"],
    }
    return commands[name.split("-")[0]]


def complete(section: Section, disks: list[bytes], image: str, repaired: Section | None, sector: int) -> int:
    final, rule = section.final, Rule(section, sector)
    with tempfile.TemporaryDirectory() as folder:
        path, undo = Path(folder) / "disk", Path(folder) / "undo"
        if section.name == "undo":
            path.write_bytes(repaired.base)
            run(["repair", str(path), "--from", image, "--apply", "--save-undo", str(undo)])
            assert path.read_bytes() == section.base, "the repair that is to be undone"
        for disk in disks:
            path.write_bytes(disk)
            run(again(section.name, image, path, undo))
            Path(f"{undo}.new").unlink(missing_ok=True)
            found = path.read_bytes()
            if section.name.startswith("restore"):
                # What lies in free space is discarded, or not.
                assert tables(found) == rule.after, f"{section.name}: not completed"
                run(["verify", image, str(path)])
            else:
                assert found == final, f"{section.name}: not completed"
    return len(disks)


def main() -> None:
    log, sector, size, image = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    found = sections(log, size)
    bad = 0
    for section in found:
        if section.name.startswith("extend-"):
            section.old_size = os.stat(image).st_size
        count, wrong, disks = check(section, sector, 1)
        bad += sum(wrong.values())
        for why, how_often in wrong.items():
            print(f"{section.name}: {why}: {how_often} disks", file=sys.stderr)
        repaired = next((other for other in found if other.name == "repair"), None)
        completed = complete(section, disks, image, repaired, sector) if not wrong else 0
        pairs = len(section.parts) - 1
        flushes, swaps = planted_faults(section, sector)
        print(f"counted: disks after a power cut during {section.name}, sectors of {sector} bytes | {count} | {sum(wrong.values())}")
        writes = sum(len(part) for part in section.parts)
        print(f"{section.name}, sectors of {sector} bytes: {writes} writes in {len(section.parts)} parts, {count} disks after a cut, "
              f"{sum(wrong.values())} bad, {completed} completed by the same command; of {pairs} flushes "
              f"{flushes} must not be left out, of as many neighbours {swaps} not be swapped")
        assert flushes and swaps, f"{section.name}: the check sees no planted fault"
    assert found, "no marks in the log"
    assert not bad


if __name__ == "__main__":
    main()
