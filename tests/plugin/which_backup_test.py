#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Random damage of a primary beside random backups in both places: what is served is what the model of the contract says.

    which_backup_test.py [SEED]
"""

from __future__ import annotations

import multiprocessing
import os
import random
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from images import gpt  # noqa: E402
from images.catalogue import LINUX_DATA, Disk, flip, guid, read_at, write_at  # noqa: E402
from model.contract_model import Refused, expected  # noqa: E402
from plugin import nbdkit  # noqa: E402
from plugin.bytes_test import Case, Mismatch, check_alone  # noqa: E402

ROUNDS = 150  # each is asked for with table=primary and with table=backup
SMALL, LARGE = 127, 191  # last LBAs


def a_disk(last_lba: int, array: str, disk: str, s: int) -> Disk:
    """Its partitions and its DiskGUID go by the names of `array` and `disk`."""
    first = {"a": 64, "b": 72, "empty": 0}[array]
    entries = {2: gpt.Entry(LINUX_DATA, guid(array), first, first + 7)} if first else {}
    return Disk(sector_size=s, last_lba=last_lba, entry_count=16, entries=entries, disk_guid=guid(disk),
                first_usable_lba=20, primary_array_lba=random_place(first))  # fmt: skip


def random_place(first: int) -> int:
    return 2 if first != 72 else 9


def write_backup(path: Path, disk: Disk) -> None:
    write_at(path, disk.backup_array_lba * disk.sector_size, disk.array())
    write_at(path, disk.last_lba * disk.sector_size, disk.header(primary=False))


def damage(path: Path, disk: Disk, chance: random.Random) -> list[str]:
    """Of the primary: any of these, so that header and array are right, wrong or gone."""
    s, done = disk.sector_size, []
    header_at, array_at = s, disk.primary_array_lba * s
    if chance.random() < 0.2:
        write_at(path, array_at, a_disk(LARGE, chance.choice("ab"), "x", s).array())
        done.append("another array")
    if chance.random() < 0.4:
        flip(path, array_at + chance.randrange(disk.entry_count * 128))
        done.append("array")
    kind = chance.choice(("none", "none", "flip", "guid", "alternate", "crc", "signature", "erased", "size"))
    if kind == "flip":
        flip(path, header_at + chance.randrange(8, 92))
    elif kind == "guid":
        flip(path, header_at + chance.randrange(56, 72))
    elif kind == "crc":
        flip(path, header_at + 17)
    elif kind == "signature":
        flip(path, header_at)
    elif kind == "erased":
        write_at(path, header_at, bytes(s))
    elif kind == "size":
        write_at(path, header_at, gpt.patched(read_at(path, header_at, s), header_size=chance.choice((0, 91, 5000))))
    elif kind == "alternate":
        sealed = gpt.sealed(read_at(path, header_at, s), alternate_lba=chance.choice((0, 1, LARGE, SMALL, 1 << 40)))
        write_at(path, header_at, sealed)
    return [*done, kind]


def make(path: Path, chance: random.Random) -> str:
    s = chance.choice((512, 512, 4096))
    primary = a_disk(SMALL, chance.choice(("a", "b", "a", "empty")), "one", s)
    replace(primary, last_lba=LARGE, backup_array_lba=0, last_usable_lba=0).write(path)
    write_at(path, s, primary.header(primary=True))
    write_at(path, LARGE * s, bytes(s))
    said = [f"{s} bytes"]
    for last_lba in (SMALL, LARGE):
        if chance.random() < 0.15:
            continue
        array, disk = chance.choice(("a", "a", "b", "empty")), chance.choice(("one", "one", "two"))
        backup = a_disk(last_lba, array, disk, s)
        write_backup(path, backup)
        said.append(f"{disk}/{array} at {last_lba}")
        if chance.random() < 0.1:
            flip(path, last_lba * s + chance.randrange(92))
            said.append("damaged")
    return ", ".join([*said, *damage(path, primary, chance)])


def one_round(work: tuple[Path, int, int]) -> tuple[list[str], list[str]]:
    folder, seed, number = work
    chance = random.Random(f"{seed} {number}")
    path = folder / f"{number}.raw"
    said = make(path, chance)
    outcomes, failures = [], []
    for table in ("primary", "backup"):
        size = path.stat().st_size
        case = Case(str(number), size, f"size={size}", (("table", table),))
        try:
            expected(path, size, table=table)
            outcomes.append(f"{table}: served")
        except Refused as why:
            outcomes.append(f"{table}: {why.reason}")
        try:
            check_alone(case, path, seed)
        except (Mismatch, nbdkit.ServerError) as why:
            failures.append(f"{case} ({said}): {why}")
    path.unlink()
    return outcomes, failures


def main() -> int:
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        nbdkit.keep_plugin(folder)
        with multiprocessing.Pool(os.cpu_count()) as pool:
            done = pool.map(one_round, [(folder, seed, number) for number in range(ROUNDS)])
    outcomes = Counter(outcome for outcomes, _ in done for outcome in outcomes)
    failures = [failure for _, failures in done for failure in failures]
    print("\n".join(failures))
    print(f"{2 * ROUNDS - len(failures)} passed, {len(failures)} failed; {dict(sorted(outcomes.items()))}")
    # Rounds that never come to a choice would prove nothing.
    reached = all(outcomes[each] >= 10 for each in ("primary: served", "backup: served", "backup: two-backups"))
    return 1 if failures or not reached else 0


if __name__ == "__main__":
    sys.exit(main())
