#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""restore_bytes_test.py [--first COUNT]

Every image of the catalogue, restored to a file full of other bytes, of its own size and of a larger one, is to the
last byte what the model of the contract says; with io_uring and without, free space zeroed and discarded; verify agrees.
An image that is refused leaves the file alone. Or the first COUNT images."""

import itertools
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from restored import GPTGROW, TESTS, check_same, fill, sector_bytes, small_images, wanted_bytes

from model.contract_model import Refused, expected

WITHOUT = TESTS / "cli/without_io_uring.py"


def check(folder, image, size, free_space, wrapper):
    target = folder / f"target-{image.stem}-{size}"
    fill(target, size)
    before = target.read_bytes()
    done = subprocess.run([*wrapper, GPTGROW, "restore", image, target, "--yes", "--free-space", free_space],
                          stdin=subprocess.DEVNULL, capture_output=True)
    found = target.read_bytes()
    name = f"{image.stem} to {size} bytes, {free_space}, {'threads' if wrapper else 'io_uring'}"
    try:
        regions = expected(image, size)
    except Refused as why:
        assert done.returncode == 2, f"{name}: not refused: {why}"
        assert found == before, f"{name}: refused, but bytes changed"
        target.unlink()
        return 0
    assert done.returncode == 0, f"{name}: {done.stdout.decode()}{done.stderr.decode()}"
    check_same(name, found, wanted_bytes(image, regions, size))
    again = subprocess.run([GPTGROW, "verify", image, target], capture_output=True)
    assert again.returncode == 0, f"{name}: verify: {again.stdout.decode()}{again.stderr.decode()}"
    target.unlink()
    return 1


def main():
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        images = small_images(folder)[:int(sys.argv[2]) if sys.argv[1:2] == ["--first"] else None]
        ways = itertools.cycle(itertools.product(("zero", "discard"), ((), (WITHOUT,))))
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            waiting = []
            for number, image in enumerate(images):
                sector = sector_bytes(image)
                own = image.stat().st_size // sector * sector
                larger = own + (1 << 20) + 3 * sector
                for size in (own, larger) if number % 3 == 0 else (larger,):
                    if size:
                        waiting.append(pool.submit(check, folder, image, size, *next(ways)))
            restored = sum(each.result() for each in waiting)
        print(f"counted: restores compared with the model | {len(waiting)} | 0")
        print(f"{restored} restores of {len(images)} images, {len(waiting) - restored} refused")
        assert restored > len(waiting) // 2


main()
