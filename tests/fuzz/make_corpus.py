#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes the fixed seed corpus of the planner's fuzzer into a directory: make_corpus.py DIR

An input is 8 bytes of size, a byte of options (plan_fuzzer.cpp says which) and a small image.
"""

from __future__ import annotations

import struct
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from images import gpt  # noqa: E402
from images.catalogue import BASIC_DATA, Disk, flip, guid, protective  # noqa: E402

RELATIVE = 0x20
MEND_CRCS = 0x40


def small(sector_size: int, **knobs) -> Disk:
    entries = {
        1: gpt.Entry(BASIC_DATA, guid("one"), 8, 9),
        3: gpt.Entry(BASIC_DATA, guid("three"), 10, 12),
    }
    return Disk(**{"sector_size": sector_size, "last_lba": 20, "entry_count": 4, "entries": entries, **knobs})


IMAGES = {
    "plain-512": small(512),
    "plain-4096": small(4096),
    "entries-of-256": small(512, entry_size=256),
    "array-far": small(512, primary_array_lba=4, backup_array_lba=16),
    "header-of-512": small(512, header_size=512, primary_tail=b"tail" * 100),
    "hybrid": small(512, records=[gpt.MbrRecord(0x83, 8, 2), protective(19), protective(0xFFFFFFFF)]),
    "usable-late": small(512, first_usable_lba=10),
}
OPTIONS = {"grow": (1 << 20, RELATIVE), "own": (0, RELATIVE | MEND_CRCS), "shrink": (18 * 512, 2), "backup": (1 << 40, 1)}


def main() -> None:
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "image")
        for image_name, disk in IMAGES.items():
            for damage in ("", "no-backup", "no-primary"):
                disk.write(path)
                if damage:
                    flip(path, disk.sector_size + 60 if damage == "no-primary" else disk.size - disk.sector_size + 60)
                for option_name, (size, flags) in OPTIONS.items():
                    name = "-".join(filter(None, (image_name, damage, option_name)))
                    (target / name).write_bytes(struct.pack("<QB", size, flags) + path.read_bytes())


main()
