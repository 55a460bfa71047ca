#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Of the largest array there may be, 131,072 entries, all used and all different from the image's, inspect, compare and verify
write all of their JSON in at most 100 MB of memory. Of a repair that writes such arrays four times, the undo file is taken."""

import os
import struct
import subprocess
import sys
import tempfile
from multiprocessing import Process
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from images import catalogue  # noqa: E402

GPTGROW = Path(os.environ.get("GPTGROW_BUILD", TESTS.parent / "build/dev")) / "cli/gptgrow"
COUNT = 131072
LIMIT_KIB = 100 * 1000 * 1000 // 1024
FIRST = 2 + COUNT * 128 // 512
LAST = 2 * FIRST + 8 * COUNT


def make(path, slots):
    packed = b"".join(slots)
    disk = catalogue.Disk(entry_count=COUNT, entries={}, last_lba=LAST, data=[])
    disk.array = lambda: packed
    disk.write(path)


def entry(number, kind, first, last, attributes, letter):
    name = f"{letter * 30}{number:06}".encode("utf-16-le")
    return struct.pack("<16s16sQQQ72s", kind.bytes_le, struct.pack("<QQ", 1, number), first, last, attributes, name)


def make_images(folder):
    image = [entry(n, catalogue.LINUX_DATA, FIRST + 8 * n, FIRST + 8 * n + 7, 0, "n") for n in range(COUNT)]
    make(folder / "image", image)
    # Of every entry, all fields but the GUID.
    make(folder / "changed",
         [entry(n, catalogue.BASIC_DATA, FIRST + 8 * n + 1, FIRST + 8 * n + 6, 1 << 60, "ä") for n in range(COUNT)])
    make(folder / "moved", image[::-1])
    # No partition is the image's.
    make(folder / "others",
         [entry(COUNT + n, catalogue.BASIC_DATA, FIRST + 8 * n + 1, FIRST + 8 * n + 6, 1 << 60, "x") for n in range(COUNT)])


def items(expected_status, *arguments):
    """How many partitions, stretches, slots and changes are listed."""
    command = subprocess.Popen([GPTGROW, *arguments, "--json"], stdout=subprocess.PIPE)
    # Those of inspect are indented, the others have a line each.
    start = b"    {\n" if arguments[0] == "inspect" else b'    {"'
    count = sum(line.startswith(start) for line in command.stdout)
    _, status, usage = os.wait4(command.pid, 0)
    command.returncode = os.waitstatus_to_exitcode(status)
    assert command.returncode == expected_status, (arguments, command.returncode)
    print(f"{arguments[0]} {arguments[-1].name}: {count} items, {usage.ru_maxrss} KiB")
    # A sanitizer takes memory for itself.
    assert usage.ru_maxrss <= LIMIT_KIB or os.environ.get("GPTGROW_SANITIZER"), f"expected at most {LIMIT_KIB} KiB"
    return count


def check_undo(image, undo):
    """The end of the disk has moved, and of the primary array the first and the last sector are damaged: all of it is rebuilt."""
    sectors = image.stat().st_size // 512
    os.truncate(image, (sectors + 40000) * 512)
    last = 2 * 512 + COUNT * 128 - 1

    def looks():
        with open(image, "rb") as file:
            head = file.read(FIRST * 512)
            file.seek((sectors - FIRST) * 512)
            return head, file.read()

    with open(image, "r+b") as file:
        for place in (2 * 512, last):
            file.seek(place)
            file.write(b"\xff")
    before = looks()
    done = subprocess.run([GPTGROW, "extend", image, "last", "--apply", "--save-undo", undo], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert looks() != before
    print(f"an undo file of {undo.stat().st_size} bytes")
    assert undo.stat().st_size > 16 * (16 << 20), "not as large as it may become"
    done = subprocess.run([GPTGROW, "repair", image, "--undo", undo, "--apply"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert looks() == before, "not undone"


def main():
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        # By another process: what a parent has taken counts for its children.
        maker = Process(target=make_images, args=(folder,))
        maker.start()
        maker.join()
        assert maker.exitcode == 0
        image = folder / "image"
        # In the map, every partition, what is free between them, and the table.
        assert items(0, "inspect", folder / "changed") == COUNT + 2 * COUNT + 1 + 5
        for name, slots, changes in (("changed", COUNT, 5 * COUNT), ("moved", COUNT, COUNT), ("others", 2 * COUNT, COUNT)):
            assert items(1, "compare", image, folder / name) == slots
            # CRCs of the array and of the header, in both headers.
            assert items(1, "verify", image, folder / name) == slots + 2 * changes + 4
        make(folder / "one", [entry(1, catalogue.LINUX_DATA, FIRST, FIRST + 7, 0, "n"), bytes(128 * (COUNT - 1))])
        check_undo(folder / "one", folder / "undo")


main()
