#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""repair --apply, killed for real at moments spread over its whole run: a valid table that names the same partitions
is left, the undo file is whole or there is none, and the same command completes the repair.

A kill cannot tear a write; the unit tests of repair do that."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from images import catalogue, gpt  # noqa: E402

GPTGROW = Path(os.environ.get("GPTGROW_BUILD", TESTS.parent / "build/dev")) / "cli/gptgrow"
ROUNDS = 100
SECTOR = 512


def partitions(path, lba):
    """What a valid table at this LBA names, or None."""
    sector = catalogue.read_at(path, lba * SECTOR, SECTOR)
    header = gpt.Header(sector)
    if not header.has_signature or header.header_crc32 != header.computed_crc32() or header.my_lba != lba:
        return None
    array = catalogue.read_at(path, header.partition_entry_lba * SECTOR, header.array_size)
    if gpt.zlib.crc32(array) != header.partition_entry_array_crc32:
        return None
    count, size = header.number_of_partition_entries, header.size_of_partition_entry
    return {(e.partition_guid, e.first_lba, e.last_lba) for _, e in gpt.used_entries(array, count, size)}


def repair(disk, image, undo, kill_after=None):
    process = subprocess.Popen([GPTGROW, "repair", disk, "--from", image, "--apply", "--save-undo", undo],
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if kill_after is not None:
        time.sleep(kill_after)
        process.send_signal(signal.SIGKILL)
    error = process.communicate()[1].decode()
    assert process.returncode in (0, -signal.SIGKILL), error
    return process.returncode == 0


def main():
    with tempfile.TemporaryDirectory() as folder:
        image, damaged, disk, undo = (Path(folder) / name for name in ("image", "damaged", "disk", "undo"))
        catalogue.CATALOGUE["unused-slots-junk-512"].make(image)
        shutil.copy(image, damaged)
        os.truncate(damaged, 4 << 20)
        subprocess.run([TESTS / "cli/rewrite_densely.py", damaged], check=True)
        wanted = partitions(image, 1)
        last = (4 << 20) // SECTOR - 1

        shutil.copy(damaged, disk)
        start = time.monotonic()
        assert repair(disk, image, undo)
        duration = time.monotonic() - start
        repaired = disk.read_bytes()
        killed_between = 0
        for step in range(ROUNDS):
            shutil.copy(damaged, disk)
            undo.unlink(missing_ok=True)
            completed = repair(disk, image, undo, duration * 1.2 * step / ROUNDS)
            left = disk.read_bytes()
            killed_between += left not in (damaged.read_bytes(), repaired)
            assert wanted in (partitions(disk, 1), partitions(disk, last)), f"no valid table after {step}"
            assert undo.exists() or left == damaged.read_bytes(), "written without an undo file"
            if left != damaged.read_bytes():
                shutil.copy(disk, Path(folder) / "undone")
                subprocess.run([GPTGROW, "repair", Path(folder) / "undone", "--undo", undo, "--apply"], check=True,
                               capture_output=True)
                assert (Path(folder) / "undone").read_bytes() == damaged.read_bytes(), "not what it was before"
            assert repair(disk, image, Path(folder) / f"undo{step}"), "not completed"
            assert disk.read_bytes() == repaired
            assert not completed or left == repaired
        print(f"counted: kills of a repair | {ROUNDS} | 0")
        print(f"{ROUNDS} kills in {duration * 1000:.0f} ms, {killed_between} with the repair half done")


main()
