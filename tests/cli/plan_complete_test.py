#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""plan names every byte that differs, and no range without one, against the served bytes compared one by one."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from images import catalogue  # noqa: E402

GPTGROW = Path(os.environ.get("GPTGROW_BUILD", TESTS.parent / "build/dev")) / "cli/gptgrow"
PLUGIN = os.environ["GPTGROW_PLUGIN"]
NAMES = [
    "entries-128-512", "entries-8-4096", "unused-slots-junk-256-512", "header-sizes-differ-512", "mbr-active-chs-512",
    "hybrid-two-whole-512", "backup-missing-512", "backup-array-crc-512", "backup-other-array-512",
    "longer-with-data-512", "longer-by-one-sector-4096", "shorter-backup-512", "primary-elsewhere-512",
    "array-both-elsewhere-4096", "array-padding-differs-512", "holes-512", "last-usable-over-array-512",
]


def differing(image, disk):
    """Places that differ, where the image has bytes at all."""
    return {i for i in range(min(len(image), len(disk))) if image[i] != disk[i]}


def main():
    checked = 0
    with tempfile.TemporaryDirectory() as folder:
        image_path, disk_path = Path(folder) / "image.raw", Path(folder) / "disk.raw"
        for name in NAMES:
            image_path.unlink(missing_ok=True)
            catalogue.CATALOGUE[name].make(image_path)
            image = image_path.read_bytes()
            sector = 4096 if name.endswith("4096") else 512
            table = ["table=backup"] if name.startswith("primary") else []
            own = len(image) // sector * sector
            for size, extend in ((own, False), (own + 3 * sector, True), (3 << 20, False), (own, True)):
                if extend and name.startswith("hybrid"):
                    continue
                keys = [*table, *["extend=last"][:extend]]
                options = [f"--{option.replace('=', ' ')}".split() for option in keys]
                done = subprocess.run([GPTGROW, "plan", image_path, "--size", str(size), "--json", *sum(options, [])],
                                      capture_output=True, text=True)
                assert done.returncode in (0, 1), done.stderr
                changes = json.loads(done.stdout)["changes"]
                assert done.returncode == (1 if changes else 0)
                disk_path.unlink(missing_ok=True)
                subprocess.run(["nbdkit", "-U", "-", PLUGIN, image_path, f"size={size}", *keys, "--run",
                                f'nbdcopy "$uri" {disk_path}'], check=True, capture_output=True)
                disk = disk_path.read_bytes()
                check(name, image, disk, changes)
                checked += 1
    print(f"{checked} plans")


def check(name, image, disk, changes):
    places = differing(image, disk)
    named = set()
    last = 0
    for change in changes:
        start, length = change["offset_bytes"], change["length_bytes"]
        assert start >= last, (name, "not in order", change)
        last = start
        span = range(start, start + length)
        if change["structure"] == "cut off":
            assert start == len(disk) and start + length == len(image)
            continue
        assert start + length <= len(disk), (name, change)
        if start < len(image):
            assert not places.isdisjoint(span) or start + length > len(image), (name, "nothing differs", change)
        assert named.isdisjoint(span), (name, "named twice", change)
        named.update(span)
        for key, bytes_ in (("before_hex", image), ("after_hex", disk)):
            if change[key] is not None:
                want = bytes_[start : start + length].hex()
                assert change[key] == want, (name, key, change)
    assert places <= named, (name, "omitted", sorted(places - named)[:8])
    grown = set(range(len(image), len(disk)))
    assert grown <= named, (name, "omitted past the image's end", sorted(grown - named)[:8])


main()
