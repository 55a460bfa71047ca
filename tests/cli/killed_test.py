#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""repair --apply, killed for real at moments spread over its whole run: a valid table that names the same partitions
is left, the undo file is whole or there is none, and the same command completes the repair. extend --apply, killed at each
write and each flush: the same, but where the primary table is damaged then, its message says what makes it whole first.

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

from cli.restored import scratch_parent  # noqa: E402
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


def gptgrow(*arguments):
    return subprocess.run([GPTGROW, *arguments], capture_output=True, text=True)


def extend_killed_at(call, disk, undo):
    """Whether it was killed: there may be no such call."""
    undo.unlink(missing_ok=True)
    done = subprocess.run(["strace", "-f", "-o", "/dev/null", "-e", "trace=pwrite64,fsync",
                           "-e", f"inject=pwrite64,fsync:signal=KILL:when={call}",
                           GPTGROW, "extend", disk, "last", "--apply", "--save-undo", undo], capture_output=True, text=True)
    assert done.returncode in (0, -signal.SIGKILL, 128 + signal.SIGKILL), done.stderr
    return done.returncode != 0


def complete(disk, folder):
    done = gptgrow("extend", disk, "last", "--apply", "--save-undo", folder / f"undo-{os.urandom(8).hex()}")
    if done.returncode == 2:
        assert "repair --relocate makes it whole" in done.stderr, done.stderr
        assert gptgrow("repair", disk, "--relocate", "--apply", "--save-undo", folder / "undo-relocated").returncode == 0
        (folder / "undo-relocated").unlink()
        return complete(disk, folder)
    assert done.returncode == 0, done.stderr
    return disk.read_bytes()


def extend_killed(folder, size):
    before, disk, undo = (folder / name for name in ("before", "disk", "undo"))
    before.unlink(missing_ok=True)
    catalogue.CATALOGUE["unused-slots-junk-512"].make(before)
    is_larger = size != before.stat().st_size
    os.truncate(before, size)
    shutil.copy(before, disk)
    extended = complete(disk, folder)
    wanted = (partitions(before, 1), partitions(disk, 1))
    states, call = set(), 0
    while True:
        call += 1
        shutil.copy(before, disk)
        if not extend_killed_at(call, disk, undo):
            assert disk.read_bytes() == extended
            break
        left = disk.read_bytes()
        states.add(left)
        assert partitions(disk, 1) in wanted or partitions(disk, size // SECTOR - 1) in wanted, f"no valid table after {call}"
        if left != before.read_bytes():
            shutil.copy(disk, folder / "undone")
            assert gptgrow("repair", folder / "undone", "--undo", undo, "--apply").returncode == 0
            assert (folder / "undone").read_bytes() == before.read_bytes(), "not what it was before"
        again = complete(disk, folder)
        # A disk does not know any more of the backup that it has left.
        assert again == extended or is_larger, f"another disk after {call}"
        assert partitions(disk, 1) == partitions(disk, size // SECTOR - 1) == wanted[1], f"not extended after {call}"
    print(f"{call - 1} kills, {len(states)} states of a disk of {size} bytes")
    assert len(states) >= (8 if is_larger else 5), "it was not killed between all of its writes"


def main():
    with tempfile.TemporaryDirectory(dir=scratch_parent()) as folder:
        for size in (2 << 20, 4 << 20):
            extend_killed(Path(folder), size)
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
