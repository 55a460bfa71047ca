#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every image of the catalogue, restored to a file full of other bytes, of its own size and of a larger one, is to the
last byte what the model of the contract says; with io_uring and without, free space zeroed and discarded; verify agrees.
An image that is refused leaves the file alone."""

import itertools
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from images.catalogue import CATALOGUE, write_images  # noqa: E402
from model.contract_model import Refused, expected, read_regions  # noqa: E402

GPTGROW = Path(os.environ.get("GPTGROW_BUILD", TESTS.parent / "build/dev")) / "cli/gptgrow"
WITHOUT = TESTS / "cli/without_io_uring.py"
LARGEST = 32 << 20
JUNK = os.urandom(1 << 20)


def fill(path, size):
    with open(path, "wb") as file:
        for offset in range(0, size, len(JUNK)):
            file.write(JUNK[: size - offset])


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
    with open(image, "rb") as file:
        wanted = read_regions(file.fileno(), regions, 0, size)
    if found != wanted:
        at = next(i for i in range(size) if found[i] != wanted[i])
        raise AssertionError(f"{name}: byte {at} is {found[at]:#x}, expected {wanted[at]:#x}")
    again = subprocess.run([GPTGROW, "verify", image, target], capture_output=True)
    assert again.returncode == 0, f"{name}: verify: {again.stdout.decode()}{again.stderr.decode()}"
    target.unlink()
    return 1


def main():
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        names = [name for name, image in CATALOGUE.items() if not image.large]
        write_images(folder, names)
        images = [path for path in sorted(folder.glob("*.raw")) if path.stat().st_size <= LARGEST]
        ways = itertools.cycle(itertools.product(("zero", "discard"), ((), (WITHOUT,))))
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            waiting = []
            for number, image in enumerate(images):
                sector = 4096 if "4096" in image.stem else 512
                own = image.stat().st_size // sector * sector
                larger = own + (1 << 20) + 3 * sector
                for size in (own, larger) if number % 3 == 0 else (larger,):
                    if size:
                        waiting.append(pool.submit(check, folder, image, size, *next(ways)))
            restored = sum(each.result() for each in waiting)
        print(f"{restored} restores of {len(images)} images, {len(waiting) - restored} refused")
        assert restored > len(waiting) // 2


main()
