#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes the disk that the contract promises, as a sparse file: write_disk.py IMAGE SIZE_BYTES OUT [OPTION=VALUE...]"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from model.contract_model import Region, expected  # noqa: E402


def data_ranges(image_fd: int, region: Region) -> list[tuple[int, int]]:
    """Start and length, on the image, of what is no hole there."""
    ranges, at, end = [], region.image_offset, region.image_offset + region.length
    while at < end:
        try:
            at = os.lseek(image_fd, at, os.SEEK_DATA)
        except OSError:
            break
        hole = min(os.lseek(image_fd, at, os.SEEK_HOLE), end)
        if at < end:
            ranges.append((at, hole - at))
        at = hole
    return ranges


def main() -> None:
    image, size, out, *options = sys.argv[1:]
    keywords = {key.replace("-", "_"): value for key, value in (option.split("=") for option in options)}
    if "sector_size" in keywords:
        keywords["sector_size"] = int(keywords["sector_size"])
    regions = expected(image, int(size), **keywords)
    with open(image, "rb") as source, open(out, "wb") as target:
        target.truncate(int(size))
        for region in regions:
            if region.kind == "bytes":
                os.pwrite(target.fileno(), region.data, region.start)
            elif region.kind == "image":
                for start, length in data_ranges(source.fileno(), region):
                    shift = region.start - region.image_offset
                    for at in range(start, start + length, 1 << 20):
                        data = os.pread(source.fileno(), min(1 << 20, start + length - at), at)
                        os.pwrite(target.fileno(), data, at + shift)


main()
