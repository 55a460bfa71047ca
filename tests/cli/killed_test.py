#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""repair --apply, killed for real at moments spread over its whole run: a valid table that names the same partitions
is left, the undo file is whole or there is none, and the same command completes the repair. extend --apply, killed at each
write and each flush, of disks of each class: the same command makes of what is left what it makes when it is not killed, to the
last byte, and what was saved makes of it what it was.

A kill cannot tear a write; the unit tests of repair do that."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from cli.restored import scratch_parent  # noqa: E402
from images import catalogue, gpt  # noqa: E402

GPTGROW = Path(os.environ.get("GPTGROW_BUILD", TESTS.parent / "build/dev")) / "cli/gptgrow"
ROUNDS = 100
SECTOR = 512


def partitions(path, lba, sector=SECTOR):
    """What a valid table at this LBA names, or None."""
    header = gpt.Header(catalogue.read_at(path, lba * sector, sector))
    if not header.has_signature or header.header_crc32 != header.computed_crc32() or header.my_lba != lba:
        return None
    array = catalogue.read_at(path, header.partition_entry_lba * sector, header.array_size)
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


@dataclass
class Disk:
    """What is extended: an image of the catalogue, how much larger its disk is, and which of its bytes are damaged."""

    image: str
    grown_by: int = 0
    flipped: tuple[int, ...] = ()
    slot: str = "last"


DISKS = [
    Disk("unused-slots-junk-512"),
    Disk("unused-slots-junk-512", 2 << 20, slot="6"),
    Disk("unused-slots-junk-512", 2 << 20, (512 + 40,)),
    Disk("unused-slots-junk-512", 5 * 512, (1024 + 60,)),
    Disk("backup-reserved-512", 0, (1024 + 60,)),
    Disk("backup-other-array-512"),
    Disk("backup-other-array-4096", 2 << 20),
    Disk("longer-with-data-4096"),
    Disk("hybrid-whole-second-512", 2 << 20),
]


def extend(disk, slot, undo, *prefix):
    return subprocess.run([*prefix, GPTGROW, "extend", disk, slot, "--apply", "--save-undo", undo], capture_output=True, text=True)


def killed_at(call):
    return ["strace", "-f", "-o", "/dev/null", "-e", "trace=pwrite64,fsync", "-e", f"inject=pwrite64,fsync:signal=KILL:when={call}"]


def extend_killed(folder, number, what):
    """How many kills of one disk, and how many different disks they left."""
    before, disk, undo, again = (folder / f"{number}-{name}" for name in ("before", "disk", "undo", "again"))
    catalogue.CATALOGUE[what.image].make(before)
    sector = int(what.image.rsplit("-", 1)[1])
    old_size = before.stat().st_size
    os.truncate(before, old_size + what.grown_by)
    for offset in what.flipped:
        catalogue.flip(before, offset)
    size = before.stat().st_size
    lbas = {1, size // sector - 1, old_size // sector - 1, gpt.Header(catalogue.read_at(before, sector, sector)).alternate_lba}
    places = [lba for lba in lbas if lba < size // sector]
    shutil.copy(before, disk)
    done = extend(disk, what.slot, again)
    assert done.returncode == 0, f"{what}: {done.stderr}"
    again.unlink()
    extended, original = disk.read_bytes(), before.read_bytes()
    assert extended != original, what
    wanted = [table for each in (before, disk) for table in (partitions(each, lba, sector) for lba in places) if table]
    states, call = set(), 0
    while True:
        call += 1
        shutil.copy(before, disk)
        undo.unlink(missing_ok=True)
        done = extend(disk, what.slot, undo, *killed_at(call))
        assert done.returncode in (0, -signal.SIGKILL, 128 + signal.SIGKILL), done.stderr
        if done.returncode == 0:
            assert disk.read_bytes() == extended
            break
        left = disk.read_bytes()
        if left in states:
            continue
        states.add(left)
        assert any(partitions(disk, lba, sector) in wanted for lba in places), f"{what}: no valid table after {call}"
        if left != original:
            shutil.copy(disk, again)
            assert gptgrow("repair", again, "--undo", undo, "--apply").returncode == 0
            assert again.read_bytes() == original, f"{what}: not what it was before, after {call}"
            again.unlink()
        done = extend(disk, what.slot, again)
        assert done.returncode == 0, f"{what}: not completed after {call}: {done.stderr}"
        assert disk.read_bytes() == extended, f"{what}: another disk after {call}"
        again.unlink(missing_ok=True)
    assert len(states) >= 5, f"{what}: it was not killed between all of its writes"
    return call - 1, len(states)


def main():
    with tempfile.TemporaryDirectory(dir=scratch_parent()) as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        waiting = [pool.submit(extend_killed, Path(folder), number, what) for number, what in enumerate(DISKS)]
        kills, states = (sum(counts) for counts in zip(*(each.result() for each in waiting)))
        print(f"counted: kills of an extension, {len(DISKS)} classes of disks, completed by the same command | {kills} | 0")
        print(f"{kills} kills of an extension left {states} different disks")
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
