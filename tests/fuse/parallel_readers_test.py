#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Sixteen readers at once, with and without the page cache, in files, holes and folders, all see the right bytes.

What ThreadSanitizer or AddressSanitizer finds in a program that was built with one of them fails this test.
"""

from __future__ import annotations

import mmap
import multiprocessing
import os
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fuse.gptgrow_fuse import MountError, mounted, skip_without_fuse  # noqa: E402
from images.catalogue import Disk, fill  # noqa: E402
from model.contract_model import expected, read_regions  # noqa: E402

READERS = 16
SECONDS = 4
MIB = 1 << 20
SIZE = 64 * MIB
LENGTHS = (1, 511, 4096, 4097, 65536, 262144, 262145, MIB)


def read(folder: Path, image: Path, seed: int) -> str | None:
    regions = expected(image, SIZE)
    partition = regions_of_slot_6(folder)
    choice = random.Random(seed)
    buffer = mmap.mmap(-1, MIB)
    # Every other reader goes around the page cache, so that each read reaches the program.
    flags = os.O_RDONLY | (os.O_DIRECT if seed % 2 else 0)
    disk = os.open(folder / "disk.raw", flags)
    slot = os.open(folder / "partitions/6.raw", flags)
    end = time.monotonic() + SECONDS
    with open(image, "rb") as file:
        while time.monotonic() < end:
            fd, start, size = choice.choice(((disk, 0, SIZE), (slot, *partition)))
            length = choice.choice(LENGTHS)
            offset = choice.choice((choice.randrange(size), max(size - length, 0), 0))
            if seed % 2:
                length, offset = max(length // 4096, 1) * 4096, offset // 4096 * 4096
            count = os.preadv(fd, [memoryview(buffer)[:length]], offset)
            wanted = read_regions(file.fileno(), regions, start + offset, min(length, size - offset))
            if buffer[:count] != wanted:
                return f"reader {seed}: {length} bytes at {start + offset}"
            os.stat(folder / "partitions/1.raw")
            os.listdir(folder / "by-name")
            os.lseek(disk, choice.randrange(4 * MIB), os.SEEK_HOLE)
            if seed % 4 == 0 and choice.random() < 0.05:
                os.posix_fadvise(disk, 0, 0, os.POSIX_FADV_DONTNEED)
    return None


def regions_of_slot_6(folder: Path) -> tuple[int, int]:
    entry = Disk(last_lba=16 * MIB // 512 - 1).entries[6]
    size = os.stat(folder / "partitions/6.raw").st_size
    assert size == (entry.last_lba - entry.first_lba + 1) * 512, size
    return entry.first_lba * 512, size


def main() -> int:
    skip_without_fuse()
    with tempfile.TemporaryDirectory() as scratch:
        image = Path(scratch, "image.raw")
        Disk(last_lba=16 * MIB // 512 - 1, data=[(0, 8 * MIB)]).write(image)
        fill(image, 12 * MIB, MIB)
        options = "exitcode=66:halt_on_error=0"
        try:
            environment = {"TSAN_OPTIONS": options, "ASAN_OPTIONS": options}
            with mounted(image, [f"size={SIZE}"], environment) as folder, multiprocessing.Pool(READERS) as pool:
                failures = pool.starmap(read, [(folder, image, seed) for seed in range(READERS)])
        except MountError as why:
            failures = [str(why)]
    failures = [failure for failure in failures if failure]
    for failure in failures:
        print(f"FAILED {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
