#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The model itself: its answers hang together, and other people's tools find nothing wrong with them.

    contract_model_test.py [IMAGE...]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from images.catalogue import CATALOGUE, write_images  # noqa: E402
from model.contract_model import (  # noqa: E402
    ImageFile,
    Refused,
    Table,
    checked,
    expected,
    load,
    read_regions,
    smallest_size,
)

GIB = 1 << 30
MATERIALISE_UP_TO = 64 << 20

# Tables that sgdisk or sfdisk itself cannot read, or whose image already has what they complain about.
NOT_FOR_SGDISK = (
    "entry-size", "empty-table-junk", "entry-behind", "entry-outside", "entries-overlap", "unused-slots-junk-256",
    "array-16-mib", "array-primary-behind-usable", "first-usable-2048", "truncated", "mbr-", "hybrid-", "holes-odd",
    "last-usable-over-array", "smallest-disk", "array-both-elsewhere-512",
)  # fmt: skip
NOT_FOR_SFDISK = (
    "entry-size", "array-16-mib", "entries-overlap", "entry-behind", "entry-outside", "mbr-no", "mbr-only",
    "mbr-starts", "unused-slots-junk-256", "first-usable-2048", "truncated", "array-primary-behind-usable",
)  # fmt: skip


def check(condition: bool, message: str) -> None:
    if not condition:
        raise AssertionError(message)


def materialise(image: Path, regions: list, target: Path) -> None:
    with open(image, "rb") as source, open(target, "wb") as out:
        out.truncate(regions[-1].end)
        for region in regions:
            if region.kind != "zero":
                out.seek(region.start)
                out.write(read_regions(source.fileno(), regions, region.start, region.length))


def check_order(regions: list, size: int) -> None:
    at = 0
    for region in regions:
        check(region.start == at and region.length > 0, f"a gap or overlap at {at}")
        check(region.kind != "bytes" or len(region.data) == region.length, f"data of {region}")
        at = region.end
    check(at == size, f"regions end at {at}, not {size}")


def check_tail(image: Path, regions: list, size: int, table: Table) -> None:
    """The new backup is valid as read from the served disk and lists the same partitions."""
    s = table.sector_size
    with open(image, "rb") as source:

        class Served(ImageFile):
            def read(self, offset: int, length: int) -> bytes:
                return read_regions(source.fileno(), regions, offset, min(length, size - offset))

        served = Served("", size)
        primary, array = checked(served, 1, s)
        backup, backup_array = checked(served, size // s - 1, s)
    check(primary.alternate_lba == size // s - 1, "AlternateLBA is not the last LBA")
    check(primary.last_usable_lba < backup.partition_entry_lba, "LastUsableLBA reaches the backup array")
    check(primary.last_usable_lba == backup.last_usable_lba, "LastUsableLBA differs")
    check(array[: primary.array_size] == backup_array[: primary.array_size], "the arrays differ")


def check_tools(name: str, disk: Path, s: int) -> None:
    if s != 512:
        return
    if not name.startswith(NOT_FOR_SGDISK):
        done = subprocess.run(["sgdisk", "--verify", disk], capture_output=True, text=True)
        check(done.returncode == 0 and "No problems found" in done.stdout, f"sgdisk: {done.stdout}{done.stderr}")
    if not name.startswith(NOT_FOR_SFDISK):
        done = subprocess.run(["sfdisk", "--verify", disk], capture_output=True, text=True)
        check(done.returncode == 0 and "No errors detected" in done.stdout, f"sfdisk: {done.stdout}{done.stderr}")


def check_own_size(image: Path, table: Table, options: dict) -> None:
    size = image.stat().st_size
    consistent = table.backup and size == (table.alternate_lba + 1) * table.sector_size
    if options.get("table") == "backup" or not consistent or table.header.last_usable_lba >= table.backup_array_lba:
        return
    with open(image, "rb") as file:
        for region in expected(image, size, **options):
            check(region.kind != "zero", "zeros at the image's own size")
            if region.kind == "bytes":
                own = os.pread(file.fileno(), region.length, region.start)
                check(region.data == own, f"{region.what} differs at the image's own size")


def check_image(name: str, image: Path, scratch: Path) -> None:
    for options in CATALOGUE[name].variants or ({},):
        plain = {key.replace("-", "_"): int(value) if value.isdigit() else value for key, value in options.items()}
        try:
            _, table = load(image, plain.get("sector_size"), plain.get("table", "primary"))
            expected(image, 64 * GIB, **plain)
        except Refused:
            continue
        s = table.sector_size
        check_own_size(image, table, plain)
        smallest = smallest_size(image, sector_size=plain.get("sector_size"), table=plain.get("table", "primary"))
        try:
            expected(image, smallest - s, **plain)
            raise AssertionError(f"one sector less than the smallest size {smallest} is served")
        except Refused as why:
            check(why.smallest_size == smallest, f"{why.smallest_size} is not {smallest}")
        for size in (smallest, smallest + s, smallest + 33 * s, 64 * GIB, 2**63 - s):
            try:
                regions = expected(image, size, **plain)
            except Refused as why:
                check(why.reason == "collision" and size > smallest, f"{size}: {why}")
                continue
            check_order(regions, size)
            check_tail(image, regions, size, table)
            if size <= MATERIALISE_UP_TO and (size != smallest or "truncated" not in plain):
                disk = scratch / "disk.raw"
                materialise(image, regions, disk)
                check_tools(name, disk, s)


def attempt(action: Callable[[], None]) -> str | None:
    try:
        action()
    except AssertionError as why:
        return str(why) or "failed"
    return None


def main(names: list[str]) -> int:
    passed = failed = skipped = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in names or CATALOGUE:
            image = Path(folder) / f"{name}.raw"
            if write_images(Path(folder), [name]):
                skipped += 1
                continue
            why = attempt(lambda name=name, image=image: check_image(name, image, Path(folder)))
            image.unlink()
            passed += why is None
            failed += why is not None
            if why:
                print(f"{name}: {why}", file=sys.stderr)
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
