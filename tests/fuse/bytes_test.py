#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every byte of disk.raw is the one that the plugin serves, and each partition's file is its range of the disk.

    bytes_test.py [--all] [--image NAME]... [--seed N]

All images of the catalogue, each at one of its sizes and options, or with --all at all of the plugin's quick ones.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fuse.gptgrow_fuse import MountError, mounted, skip_without_fuse  # noqa: E402
from images.catalogue import CATALOGUE, read_at, write_images  # noqa: E402
from model.contract_model import Refused, expected, extension, last_usable, load  # noqa: E402
from plugin import nbdkit  # noqa: E402
from plugin.bytes_test import Case, cases_of, extend_cases_of, fingerprint, image_data, loading, model_options  # noqa: E402

MIB = 1 << 20
READ_WHOLE_UP_TO = 16 * MIB
LARGEST_OFFSET = (1 << 63) - 1


class Mismatch(Exception):
    pass


class Comparison:
    def __init__(self, folder: Path, client: nbdkit.Client, choice: random.Random) -> None:
        self.disk = os.open(folder / "disk.raw", os.O_RDONLY)
        self.client = client
        self.choice = choice

    def same(self, start: int, end: int) -> None:
        start, end = max(start, 0), min(end, self.client.size)
        for at in range(start, end, MIB):
            length = min(MIB, end - at)
            if os.pread(self.disk, length, at) != self.client.read(at, length):
                raise Mismatch(f"disk.raw, {length} bytes at {at}")

    def whole(self) -> None:
        size = self.client.size
        if os.fstat(self.disk).st_size != size:
            raise Mismatch(f"disk.raw is {os.fstat(self.disk).st_size} bytes long, not {size}")
        if size <= READ_WHOLE_UP_TO:
            self.same(0, size)
            return
        for start, end in image_data(self.disk, 0, size):
            self.same(start - 5000, end + 5000)
        for _ in range(20):
            start = self.choice.randrange(size)
            self.same(start, start + 70000)

    def borders(self, borders: list[int]) -> None:
        """Reads of all lengths across the places where the bytes begin to come from somewhere else."""
        for border in borders:
            for length in (1, 2, 511, 4096, 131072):
                self.same(border - length // 2 - 1, border - length // 2 - 1 + length)
            self.same(border, border + 1)
        size = self.client.size
        for start, length in ((size - 1, MIB), (size - 1, 1), (size - 100, 200), (size, 1)):
            if start + length > LARGEST_OFFSET:
                continue  # the kernel refuses this by itself
            wanted = self.client.read(start, size - start) if start < size else b""
            if os.pread(self.disk, length, start) != wanted[:length]:
                raise Mismatch(f"{length} bytes at {size - start} before the end")

    def partition(self, path: Path, start: int, size: int) -> None:
        file = os.open(path, os.O_RDONLY)
        try:
            if os.fstat(file).st_size != size:
                raise Mismatch(f"{path.name} is {os.fstat(file).st_size} bytes long, not {size}")
            places = [0, max(size - MIB, 0), *(self.choice.randrange(size + 1) for _ in range(4))]
            for at in range(0, size, MIB) if size <= READ_WHOLE_UP_TO else places:
                wanted = os.pread(self.disk, min(MIB, size - at), start + at)
                if os.pread(file, min(MIB, LARGEST_OFFSET - at), at) != wanted:
                    raise Mismatch(f"{path.name} at {at}")
            if os.pread(file, 1, size) != b"":
                raise Mismatch(f"{path.name} goes on after its end")
        finally:
            os.close(file)


def check(case: Case, image: Path, seed: int) -> None:
    options = [case.spelling, *(f"{key}={value}" for key, value in case.options)]
    regions = expected(image, case.size, **model_options(case.options))
    table = load(image, **loading(case))[1]
    s = table.sector_size
    with nbdkit.served([f"file={image}", *options]) as client, mounted(image, options) as folder:
        comparison = Comparison(folder, client, random.Random(f"{seed} {case}"))
        try:
            comparison.whole()
            comparison.borders([region.start for region in regions[1:]])
            names, used = set(), dict(table.used())
            if which := dict(case.options).get("extend"):
                moved_by = case.size // s - 1 - table.alternate_lba
                slot, end = extension(table, read_at(image, 0, 512), which, last_usable(table, moved_by))
                used[slot] = replace(used[slot], last_lba=end)
            for slot, entry in used.items():
                first, end = entry.first_lba * s, min((entry.last_lba + 1) * s, case.size)
                names.add(f"{slot}.raw")
                if first >= end:
                    first = end = 0
                comparison.partition(folder / "partitions" / f"{slot}.raw", first, end - first)
            if set(os.listdir(folder / "partitions")) != names:
                raise Mismatch(f"partitions: {sorted(os.listdir(folder / 'partitions'))}")
        finally:
            os.close(comparison.disk)


def run(work: tuple[Case, Path, int]) -> str | None:
    case, image, seed = work
    try:
        check(case, image, seed)
    except (Mismatch, MountError, nbdkit.ServerError, OSError) as why:
        return f"{case}: {why}"
    return None


def servable(case: Case, image: Path) -> bool:
    try:
        expected(image, case.size, **model_options(case.options))
    except Refused:
        return False
    return True


def main() -> int:
    skip_without_fuse()
    parser = argparse.ArgumentParser()
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--image", action="append", choices=CATALOGUE)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    choice = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder_name:
        folder = Path(folder_name)
        skipped = write_images(folder, arguments.image or ())
        work, before = [], {}
        for name in arguments.image or CATALOGUE:
            image = folder / f"{name}.raw"
            if name in skipped:
                continue
            before[image] = fingerprint(image)
            make = extend_cases_of if len(before) % 4 == 0 else cases_of
            cases = [case for case in make(name, image, True, False) if servable(case, image)]
            if not arguments.all:
                cases = choice.sample(cases, min(1, len(cases)))
            work += [(case, image, arguments.seed) for case in cases]
        with multiprocessing.Pool() as pool:
            failures = [failure for failure in pool.imap_unordered(run, work, 4) if failure]
        failures += [f"{image.name} changed" for image in before if fingerprint(image) != before[image]]
    for failure in failures:
        print(f"FAILED {failure}", file=sys.stderr)
    print(f"counted: mounts compared with the model | {len(work)} | {len(failures)}")
    print(f"{len(work)} mounts of {len(before)} images, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
