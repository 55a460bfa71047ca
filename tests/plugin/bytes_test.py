#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every byte that nbdkit serves equals the model of the contract: all images, many sizes, all options.

    bytes_test.py [--quick | --every-step] [--image NAME]... [--jobs N] [--seed N]

An image is grown by its own eighth of 40 steps of a sector, by a quarter of the steps at which something happens, and to a
third of the large sizes, so that all images together are grown by each; other options are tried at three of its sizes. With
--every-step, each image is grown by each step, and each option tried at all sizes that matter (five times the time).

The plugin is $GPTGROW_PLUGIN, or the one in build/release.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import os
import random
import re
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from images.catalogue import CATALOGUE, write_images  # noqa: E402
from model.contract_model import (  # noqa: E402
    Refused,
    Region,
    expected,
    load,
    read_regions,
    region_at,
    smallest_size,
)
from plugin import nbdkit  # noqa: E402

KIB, MIB, GIB, TIB = 1 << 10, 1 << 20, 1 << 30, 1 << 40
READ_AT_ONCE = 128 * KIB  # a malloc of more is a mmap, whose page faults cost more than the read
READ_WHOLE_UP_TO = 16 * MIB
MAP_WHOLE_UP_TO = 64 * GIB
EXACT_STEPS = range(1, 41)
SHARES = 8
# Around one sector, the header, an array of 4, 14, 32 and 64 sectors, and past all of them.
FEW_STEPS = (1, 2, 3, 15, 32, 33, 34, 40)


class Mismatch(Exception):
    pass


@dataclass(frozen=True)
class Case:
    image: str
    size: int
    spelling: str  # the size parameter as given to the plugin
    options: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return " ".join([self.image, self.spelling, *(f"{key}={value}" for key, value in self.options)])


@dataclass
class Outcome:
    passed: int = 0
    failures: list[str] = field(default_factory=list)


# --- Which cases -----------------------------------------------------------------------------------------------------


def model_options(options: Sequence[tuple[str, str]]) -> dict:
    return {key.replace("-", "_"): int(value) if key == "sector-size" else value for key, value in options}


def fixed_sizes(s: int) -> dict[int, str]:
    return {64 * GIB: "size=64G", 2 * TIB - s: f"size={2 * TIB - s}", 2 * TIB: "size=2T",
            2 * TIB + s: f"size={2 * TIB + s}", 16 * TIB: "size=16T", 2**63 - s: f"size={2**63 - s}"}


def sizes_of(image: Path, options: dict, steps: Iterable[int]) -> dict[int, str]:
    """Sizes in bytes and how to say them; those that the contract refuses are among them."""
    own = image.stat().st_size
    try:
        _, table = load(image, options.get("sector_size"), options.get("table", "primary"))
    except Refused:
        return {own: f"reference={image}", 64 * GIB: "size=64G"}
    s = table.sector_size
    whole = own // s * s
    sizes = {own: f"reference={image}", whole: f"size={whole}", own + 1: f"size={own + 1}"}
    for step in steps:
        size = whole + step * s
        sizes[size] = f"size=+{size - own}" if step % 2 else f"size={size}"
    # Shrinking by little, some of the old backup's place is left over.
    sizes |= {whole - step * s: f"size={whole - step * s}" for step in (1, 10) if whole > step * s}
    sizes |= fixed_sizes(s)
    smallest = smallest_size(image, **{key: options[key] for key in ("sector_size", "table") if key in options})
    if smallest is not None:
        halfway = (smallest + whole) // 2 // s * s
        sizes |= {n: f"size={n}" for n in (smallest - s, smallest, smallest + s, halfway) if n >= 0}
    return sizes


def variants_of(name: str) -> Iterator[tuple[tuple[tuple[str, str], ...], bool]]:
    """Option sets, and whether to try them at few sizes."""
    own = CATALOGUE[name].variants
    yield (), CATALOGUE[name].large
    for variant in own:
        yield tuple(variant.items()), False
        yield (*variant.items(), ("old-backup", "keep")), True
    yield (("old-backup", "keep"),), True
    yield (("table", "backup"),), not name.startswith(("primary-", "two-backups-"))
    yield (("table", "backup"), ("old-backup", "keep")), True


def few(sizes: dict[int, str], image: Path, s: int, share: int | None) -> dict[int, str]:
    """Of the sizes those that matter; of these, with a share, some from each end."""
    own = image.stat().st_size // s * s
    smaller = sorted(size for size in sizes if size < own)
    larger = [size for size in (own + s, 64 * GIB, 2 * TIB, 2**63 - s) if size in sizes]
    if share is not None:
        smaller = smaller[share % max(len(smaller), 1) :][:1]
        larger = larger[share % max(len(larger), 1) :][:1]
    middle = {own, own + 33 * s} if share is None else {own + (33 * s if share % 2 else 0)}
    kept = {*smaller, *middle, *larger}
    return {size: said for size, said in sizes.items() if size in kept}


def cases_of(name: str, image: Path, quick: bool, every_step: bool = False) -> Iterator[Case]:
    s = 4096 if "4096" in name.split("-") else 512
    share = list(CATALOGUE).index(name) % SHARES
    steps = EXACT_STEPS if every_step else {*FEW_STEPS[share % 4 :: 4], *EXACT_STEPS[share::SHARES]}
    for options, at_few_sizes in variants_of(name):
        if quick and at_few_sizes and options:
            continue
        sizes = sizes_of(image, model_options(options), FEW_STEPS if options or quick else steps)
        if not (every_step or quick):
            for number, size in enumerate(fixed_sizes(s)):
                if number % 3 != share % 3:
                    sizes.pop(size, None)
        if at_few_sizes or quick:
            sizes = few(sizes, image, s, None if every_step or quick else share + len(options))
        for size, spelling in sorted(sizes.items()):
            yield Case(name, size, spelling, options)


# --- One case --------------------------------------------------------------------------------------------------------


@dataclass
class Comparison:
    client: nbdkit.Client
    image_fd: int
    regions: list[Region]
    random: random.Random

    def same(self, start: int, length: int) -> None:
        """The served bytes of this range equal the model's."""
        for at in range(start, start + length, READ_AT_ONCE):
            count = min(READ_AT_ONCE, start + length - at)
            wanted = read_regions(self.image_fd, self.regions, at, count)
            found = self.client.read(at, count)
            if found != wanted:
                self._fail(at, wanted, found)

    def _fail(self, at: int, wanted: bytes, found: bytes) -> None:
        first = next(i for i in range(len(wanted)) if found[i : i + 1] != wanted[i : i + 1])
        raise Mismatch(
            f"offset {at + first}: expected {wanted[first : first + 16].hex(' ')}, found "
            f"{found[first : first + 16].hex(' ')}, in {region_at(self.regions, at + first)}"
        )

    def aligned(self, start: int, end: int) -> tuple[int, int]:
        """The range widened to what the server lets a client ask for."""
        step, size = self.client.alignment, self.client.size
        first = max(start, 0) // step * step
        return first, min(-(-end // step) * step, size) - first

    def samples(self, start: int, end: int, count: int) -> None:
        """Reads at both ends of a range and at random places in it."""
        length = 64 * KIB
        places = [start, max(start, end - length)]
        if end - start > 2 * length:
            places += [self.random.randrange(start, end - length) for _ in range(count)]
        for place in places:
            self.same(*self.aligned(place, min(place + length, end)))

    def borders(self) -> None:
        """Reads across the border of each region: the part before it, the border in the middle, the part behind."""
        for region in self.regions[1:]:
            self.same(*self.aligned(region.start - 7, region.start + 9))
            self.same(*self.aligned(region.start - 5000, region.start + 5000))

    def hole(self, extent: nbdkit.Extent) -> None:
        """What the server calls a hole is zero in the model."""
        for region in self.regions:
            first, last = max(region.start, extent.start), min(region.end, extent.end)
            if first >= last or region.kind == "zero":
                continue
            part = region.cut(first, last)
            if part.kind == "bytes" and any(part.data):
                raise Mismatch(f"a hole is reported at {extent.start} to {extent.end}, over {region}")
            if part.kind == "image":
                for start, end in image_data(self.image_fd, first, last):
                    if any(os.pread(self.image_fd, end - start, start)):
                        raise Mismatch(f"a hole is reported over data of the image at {start}")
        self.samples(extent.start, extent.end, 4)

    def data(self, extent: nbdkit.Extent) -> None:
        """What the server calls data is not a hole of the image nor past its end, and is the model's."""
        if extent.flags != 0:
            raise Mismatch(f"flags {extent.flags} at {extent.start}, neither data nor hole,zero")
        for region in self.regions:
            first, end = max(region.start, extent.start), min(region.end, extent.end)
            if first >= end:
                continue
            if region.what == "past the end of the image":
                raise Mismatch(f"data is reported at {first} to {end}, past the end of the image")
            if region.kind == "image" and hole_bytes(self.image_fd, first, end):
                raise Mismatch(f"data is reported at {first} to {end}, over a hole of the image")
        if self.client.size > READ_WHOLE_UP_TO:
            self.same(extent.start, extent.length)

    def map(self, start: int, end: int) -> None:
        for extent in self.client.extents(start, end):
            (self.hole if extent.is_hole else self.data)(extent)

    def whole(self) -> None:
        size = self.client.size
        if size <= READ_WHOLE_UP_TO:
            self.same(0, size)
        self.borders()
        if size <= MAP_WHOLE_UP_TO:
            self.map(0, size)
            return
        for start, end in self.interesting_parts():
            self.map(start, end)
        grown = next(region for region in reversed(self.regions) if region.kind == "zero")
        for _ in range(8):
            start = self.random.randrange(grown.start, grown.end) // 4096 * 4096
            self.map(start, min(start + 3 * GIB, size))

    def interesting_parts(self) -> Iterator[tuple[int, int]]:
        """The start, up to a gigabyte past the end of the image, and the last gigabyte."""
        size = self.client.size
        tail = self.regions[-1].end - GIB
        grown = [region.start for region in self.regions if region.what == "past the end of the image"]
        yield 0, min(grown[0] + GIB, tail)
        yield tail, size


def image_data(fd: int, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The parts of a range of the image that are not holes."""
    while start < end:
        try:
            start = os.lseek(fd, start, os.SEEK_DATA)
        except OSError:
            return
        if start >= end:
            return
        stop = min(os.lseek(fd, start, os.SEEK_HOLE), end)
        yield start, stop
        start = stop


def hole_bytes(fd: int, start: int, end: int) -> int:
    return end - start - sum(stop - first for first, stop in image_data(fd, start, end))


def check_refusal(case: Case, arguments: Sequence[str], why: Refused) -> None:
    refusal = nbdkit.refused(arguments)
    said = refusal.message.strip()

    def require(condition: object, what: str) -> None:
        if not condition:
            raise Mismatch(f"{what} (the contract refuses it: {why}); it said: {said!r}")

    require(not refusal.served, "served all the same")
    require(refusal.status > 0, f"exit status {refusal.status}")
    require(said.startswith("nbdkit: error"), "no error message")
    if why.reason == "size-small" and why.smallest_size is not None:
        require(re.search(rf"\b{why.smallest_size}\b", said), f"the smallest size {why.smallest_size} is not named")
        named = any(re.search(rf"\b{slot}\b", said) for slot in why.slots)
        require(named or not why.slots, f"none of the slots {why.slots} is named")
    if why.reason == "size-multiple":
        s = load(arguments[0].removeprefix("file="), **loading(case))[1].sector_size
        for near in (case.size // s * s, (case.size // s + 1) * s):
            require(re.search(rf"\b{near}\b", said), f"the nearest size {near} is not named")
    if why.backup_would_serve:
        require("table=backup" in said, "table=backup is not named")
    for lba in why.rivals:
        require(re.search(rf"LBA {lba}: DiskGUID", said), f"the backup at LBA {lba} is not shown")
    if why.reason == "truncated":
        require("truncated=allow" in said, "truncated=allow is not named")


def loading(case: Case) -> dict:
    return {key: value for key, value in model_options(case.options).items() if key in ("sector_size", "table")}


def check_case(case: Case, image: Path, seed: int) -> None:
    arguments = [f"file={image}", case.spelling, *(f"{key}={value}" for key, value in case.options)]
    try:
        regions = expected(image, case.size, **model_options(case.options))
    except Refused as why:
        check_refusal(case, arguments, why)
        return
    with open(image, "rb") as file, nbdkit.served(arguments) as client:
        if client.size != case.size:
            raise Mismatch(f"size {client.size}, expected {case.size}")
        Comparison(client, file.fileno(), regions, random.Random(f"{seed} {case}")).whole()


# --- All of them -----------------------------------------------------------------------------------------------------


def run_cases(work: tuple[list[Case], Path, int]) -> Outcome:
    cases, folder, seed = work
    outcome = Outcome()
    for case in cases:
        try:
            check_case(case, folder / f"{case.image}.raw", seed)
            outcome.passed += 1
        except (Mismatch, nbdkit.ServerError) as why:
            outcome.failures.append(f"{case}: {why}")
    return outcome


def fingerprint(image: Path) -> tuple[int, int, str]:
    digest = hashlib.sha256()
    with open(image, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        for start, end in image_data(file.fileno(), 0, size):
            digest.update(f"{start} {end} ".encode())
            for at in range(start, end, READ_AT_ONCE):
                digest.update(os.pread(file.fileno(), min(READ_AT_ONCE, end - at), at))
        return size, os.fstat(file.fileno()).st_mtime_ns, digest.hexdigest()


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="compare served disks with the model of the contract")
    extent = parser.add_mutually_exclusive_group()
    extent.add_argument("--quick", action="store_true", help="few sizes, few options")
    extent.add_argument("--every-step", action="store_true", help="each image grown by each of 40 steps")
    parser.add_argument("--image", action="append", choices=CATALOGUE, metavar="NAME", help="only this one; repeatable")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def chunks(cases: list[Case], length: int) -> list[list[Case]]:
    return [cases[at : at + length] for at in range(0, len(cases), length)]


def main() -> int:
    arguments = parse_arguments()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder_name:
        folder = Path(folder_name)
        nbdkit.keep_plugin(folder)
        skipped = write_images(folder, arguments.image or ())
        names = [name for name in arguments.image or CATALOGUE if name not in skipped]
        before = {name: fingerprint(folder / f"{name}.raw") for name in names}
        cases = [case for name in names for case in cases_of(name, folder / f"{name}.raw", arguments.quick, arguments.every_step)]
        work = [(chunk, folder, arguments.seed) for chunk in chunks(cases, 25)]
        with multiprocessing.Pool(arguments.jobs) as pool:
            outcomes = list(pool.imap_unordered(run_cases, work))
        failures = sorted(failure for outcome in outcomes for failure in outcome.failures)
        changed = [name for name in names if fingerprint(folder / f"{name}.raw") != before[name]]
    failures += [f"{name}: the image changed" for name in changed]
    for failure in failures:
        print(f"FAILED {failure}", file=sys.stderr)
    for name, why in skipped.items():
        print(f"skipped {name}: {why}", file=sys.stderr)
    passed = sum(outcome.passed for outcome in outcomes)
    print(f"{len(cases)} cases of {len(names)} images in {time.monotonic() - began:.0f} s", file=sys.stderr)
    print(f"{passed} passed, {len(failures)} failed" + (f", {len(skipped)} skipped" if skipped else ""))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
