#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""same_table.py DISK EXPECTED: compares the first 34 sectors and the last 33, of 512 bytes, and what is between in the
image's own last MiB at 6 GiB, where the old backup was."""

import os
import sys

SECTOR = 512


def part(path, start, length):
    with open(path, "rb") as file:
        return os.pread(file.fileno(), length, start)


def main(disk, expected):
    size = os.stat(expected).st_size
    for start, length in ((0, 34 * SECTOR), (size - 33 * SECTOR, 33 * SECTOR), ((6 << 30) - (1 << 20), 1 << 20)):
        got, want = part(disk, start, length), part(expected, start, length)
        if got != want:
            at = next(i for i, (a, b) in enumerate(zip(got, want)) if a != b)
            sys.exit(f"byte {start + at} is {got[at]:#04x}, expected {want[at]:#04x}")


main(*sys.argv[1:])
