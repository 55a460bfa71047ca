#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""min is the smallest size of which the model of the contract can make a disk, for every image of the catalogue; a sector less is
refused. One in four is also served and restored."""

import os
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from restored import GPTGROW, TESTS, check_same, sector_bytes, small_images, wanted_bytes

from model.contract_model import Refused, expected, smallest_size

PLUGIN = os.environ.get("GPTGROW_PLUGIN", str(GPTGROW.parents[1] / "nbd-plugin/nbdkit-gptgrow-plugin.so"))


def run(*command):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, stdin=subprocess.DEVNULL)


def check(number, image):
    """Whether there is such a size."""
    plan = run(GPTGROW, "plan", image, "--size", "min")
    try:
        smallest = smallest_size(image)
        regions = expected(image, smallest) if smallest is not None else None
    except Refused:
        smallest = regions = None
    if regions is None:
        assert plan.returncode == 2, f"{image.stem}: expected a refusal: {plan}"
        return False
    assert plan.returncode in (0, 1), f"{image.stem}: expected {smallest}: {plan.stderr}"
    assert f" as a disk of {smallest} bytes" in plan.stdout, f"{image.stem}: expected {smallest}: {plan.stdout[:200]}"
    s = sector_bytes(image)
    less = run(GPTGROW, "plan", image, "--size", smallest - s)
    assert less.returncode == 2, f"{image.stem}: {smallest - s} is taken"
    if number % 4:
        return True
    served = run("nbdkit", "-U", "-", PLUGIN, f"file={image}", "size=min", "--run", 'nbdinfo --size "$uri"')
    assert served.stdout.strip() == str(smallest), f"{image.stem}: expected {smallest}: {served}"
    target = image.with_suffix(".target")
    done = run(GPTGROW, "restore", image, target, "--size", "min", "--yes")
    assert done.returncode == 0, f"{image.stem}: {done}"
    check_same(image.stem, target.read_bytes(), wanted_bytes(image, regions, smallest))
    target.unlink()
    return True


def main():
    with tempfile.TemporaryDirectory() as scratch:
        images = small_images(Path(scratch))
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            possible = sum(pool.map(check, range(len(images)), images))
        print(f"{possible} of {len(images)} images have a smallest size")
        assert possible > len(images) // 2
    done = run(GPTGROW, "plan", TESTS / "run.sh", "--size", "minimum")
    assert done.returncode == 2 and "min is the smallest that fits" in done.stderr, done


main()
