#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every image of the catalogue that can be served, on a disk of its own size or a larger one, with a partition extended in
place: to the last byte what the model of the contract says is served, whether it is shown first or not; a second run changes
nothing, and what was saved brings every byte back. What is refused changes nothing, and names the slot."""

import itertools
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from restored import GPTGROW, check_same, scratch_parent, sector_bytes, small_images, wanted_bytes

from model.contract_model import Refused, Table, expected, load


def gptgrow(*arguments):
    done = subprocess.run([GPTGROW, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def lies_on_old_backup(table: Table) -> bool:
    """Where the old backup is in a partition, only the served disk has zeros there."""
    return any(entry.first_lba < lbas.stop and lbas.start <= entry.last_lba
               for _, entry in table.used() for lbas in table.lbas_of_old_backup())


def table_to_use(disk):
    """A damaged primary is rebuilt from the backup."""
    try:
        load(disk)
    except Refused as why:
        return "backup" if why.backup_would_serve else "primary"
    return "primary"


def model(disk, size, slot):
    """The bytes, or why there are none."""
    try:
        _, table = load(disk, table=table_to_use(disk))
        regions = expected(disk, size, extend=slot, table=table_to_use(disk))
    except Refused as why:
        return None, why
    if size // table.sector_size - 1 != table.alternate_lba and lies_on_old_backup(table):
        return None, Refused("old-backup", "in a partition")
    return wanted_bytes(disk, regions, size), None


def check(folder, image, larger, slot, shown):
    name = f"{image.stem}, {'larger' if larger else 'its own size'}, slot {slot}"
    disk, undo = folder / f"{image.stem}-{larger}-{slot}", folder / f"{image.stem}-{larger}-{slot}.undo"
    subprocess.run(["cp", "--sparse=always", image, disk], check=True)
    sector = sector_bytes(image)
    size = image.stat().st_size // sector * sector + (larger and (1 << 20) + 3 * sector)
    os.truncate(disk, size)
    before = disk.read_bytes()
    wanted, why = model(disk, size, slot)
    if not why and table_to_use(disk) == "backup" and gptgrow("extend", disk, slot)[0] == 2:
        why = Refused("backup", "nothing says that it is this disk's own")

    if shown:
        status, said = gptgrow("extend", disk, slot)
        assert disk.read_bytes() == before, f"{name}: written without --apply"
        assert status == (2 if why else 0 if wanted == before else 1), f"{name}: status {status}, {why}: {said}"
    status, said = gptgrow("extend", disk, slot, "--apply", "--save-undo", undo)
    if why:
        assert status == 2 and disk.read_bytes() == before and not undo.exists(), f"{name}: not refused: {why}: {said}"
        if why.reason.startswith("extend-"):
            assert all(re.search(rf"\b{each}\b", said) for each in why.slots), f"{name}: {why}: {said}"
        return why.reason
    assert status == 0, f"{name}: {said}"
    extended = disk.read_bytes()
    check_same(name, extended, wanted)
    status, said = gptgrow("extend", disk, slot, "--apply")
    assert status == 0 and disk.read_bytes() == extended, f"{name}: not the same again: {said}"
    if wanted != before:
        status, said = gptgrow("repair", disk, "--undo", undo, "--apply")
        assert status == 0, f"{name}: {said}"
        check_same(f"{name}, undone", disk.read_bytes(), before)
    return "extended" if wanted != before else "as it was"


def slots_of(image):
    """The one that ends last, by its number, and others; none of an image that has no table to serve."""
    try:
        used = sorted((entry.last_lba, slot) for slot, entry in load(image)[1].used())
    except Refused:
        return []
    return [str(slot) for _, slot in used[-1:] + used[:1]] + ["128", "9999"]


def main():
    with tempfile.TemporaryDirectory(dir=scratch_parent()) as scratch:
        folder = Path(scratch)
        images = [image for image in small_images(folder) if image.stat().st_size <= 4 << 20]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            waiting = []
            for number, image in enumerate(images):
                numbers = slots_of(image)
                if numbers or number % 8 == 0:
                    waiting.append(pool.submit(check, folder, image, number % 3 != 0, "last", number % 5 == 0))
                if numbers and number % 2:
                    slot = numbers[number // 2 % len(numbers)]
                    waiting.append(pool.submit(check, folder, image, number % 3 == 0, slot, False))
            results = sorted(each.result() for each in waiting)
        counts = {reason: len(list(group)) for reason, group in itertools.groupby(results)}
        print(f"{len(results)} extensions of {len(images)} images: {counts}")
        assert counts["extended"] > len(images) // 3, "most are refused"


sys.exit(main())
