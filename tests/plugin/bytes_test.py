#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every byte that nbdkit serves equals the model of the contract: all images, many sizes, all options.

    bytes_test.py [--quick | --every-step] [--image NAME]... [--jobs N] [--seed N]

An image is grown by its own eighth of 40 steps of a sector, by a quarter of the steps at which something happens, and to a
third of the large sizes, so that all images together are grown by each; other options are tried at three of its sizes, and
partitions are extended at one or two, the last of them, and by its number at another one. With --every-step, each image is grown by
each step, and each option tried at all sizes that matter (five times the time).

One server per image and set of options serves all sizes as exports; of each set, two sizes have a server of their own, which
is told them in its parameters.

The plugin is $GPTGROW_PLUGIN, or the one in build/release.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import multiprocessing
import os
import random
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from images.catalogue import CATALOGUE, write_images  # noqa: E402
from model.contract_model import (  # noqa: E402
    Refused,
    Region,
    expected,
    load,
    smallest_size,
)
from plugin import nbdkit  # noqa: E402
from plugin.served_bytes import GIB, READ_AT_ONCE, TIB, Comparison, Mismatch, image_data  # noqa: E402

EXACT_STEPS = range(1, 41)
SHARES = 8
# Around one sector, the header, an array of 4, 14, 32 and 64 sectors, and past all of them.
FEW_STEPS = (1, 2, 3, 15, 32, 33, 34, 40)


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


def slot_numbers(image: Path, options: dict, share: int) -> list[str]:
    """The slot that ends last, and another one: used, unused, or none, in turn."""
    try:
        _, table = load(image, options.get("sector_size"), options.get("table", "primary"))
    except Refused:
        return []
    used = sorted(table.used(), key=lambda pair: pair[1].last_lba)
    count = table.header.number_of_partition_entries
    unused = next((n for n in range(1, count + 1) if n not in dict(used)), count + 1)
    others = [used[0][0] if used else 1, unused, count + 1]
    return [str(n) for n in (*(slot for slot, _ in used[-1:]), others[share % 3])]


def extend_cases_of(name: str, image: Path, quick: bool, every_step: bool) -> Iterator[Case]:
    s = 4096 if "4096" in name.split("-") else 512
    share = list(CATALOGUE).index(name) % SHARES
    own = image.stat().st_size // s * s
    steps = (0, *FEW_STEPS, *range(4, 12)) if every_step else (0, FEW_STEPS[share] + share)[share % 3 == 1 :]
    variants = [tuple(variant.items()) for variant in CATALOGUE[name].variants] or [()]
    if name.startswith(("backup-", "primary-")):
        variants.append((("table", "backup"), ("old-backup", "keep")))
    for options in variants[: 1 if quick else None]:
        for step in steps:
            yield Case(name, own + step * s, f"size={own + step * s}", (*options, ("extend", "last")))
        for number in slot_numbers(image, model_options(options), share // 2)[share % 2 :: 1 if every_step else 2]:
            yield Case(name, 64 * GIB, "size=64G", (*options, ("extend", number)))


# --- One case --------------------------------------------------------------------------------------------------------


def require_reason(case: Case, image: Path, why: Refused, said: str) -> None:
    def require(condition: object, what: str) -> None:
        if not condition:
            raise Mismatch(f"{what} (the contract refuses it: {why}); it said: {said!r}")

    require(re.search(r"^nbdkit: (gptgrow\[\d+\]: )?error: ", said, re.MULTILINE), "no error message")
    if why.reason == "size-small" and why.smallest_size is not None:
        require(re.search(rf"\b{why.smallest_size}\b", said), f"the smallest size {why.smallest_size} is not named")
        named = any(re.search(rf"\b{slot}\b", said) for slot in why.slots)
        require(named or not why.slots, f"none of the slots {why.slots} is named")
    if why.reason.startswith("extend-"):
        for slot in why.slots:
            require(re.search(rf"\bslots?\b.*\b{slot}\b", said), f"slot {slot} is not named")
    if why.reason == "size-multiple":
        s = load(image, **loading(case))[1].sector_size
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


def check_refusal(case: Case, image: Path, why: Refused) -> None:
    """By a server that is asked for this disk alone: it does not start."""
    refusal = nbdkit.refused([f"file={image}", case.spelling, *words(case.options)])
    if refusal.served or refusal.status <= 0:
        raise Mismatch(f"served, exit status {refusal.status} (the contract refuses it: {why})")
    require_reason(case, image, why, refusal.message.strip())


def check_bytes(case: Case, image: Path, client: nbdkit.Client, regions: list[Region], seed: int) -> None:
    if client.size != case.size:
        raise Mismatch(f"size {client.size}, expected {case.size}")
    with open(image, "rb") as file:
        Comparison(client, file.fileno(), regions, random.Random(f"{seed} {case}")).whole()


def words(options: Sequence[tuple[str, str]]) -> list[str]:
    return [f"{key}={value}" for key, value in options]


def check_alone(case: Case, image: Path, seed: int) -> None:
    try:
        regions = expected(image, case.size, **model_options(case.options))
    except Refused as why:
        check_refusal(case, image, why)
        return
    with nbdkit.served([f"file={image}", case.spelling, *words(case.options)]) as client:
        check_bytes(case, image, client, regions, seed)


def check_export(case: Case, image: Path, server: nbdkit.Server, seed: int) -> None:
    try:
        regions = expected(image, case.size, **model_options(case.options))
    except Refused as why:
        try:
            with server.connected(str(case.size)):
                raise Mismatch(f"served (the contract refuses it: {why})")
        except nbdkit.ServerError as refusal:
            if case.size != 0:  # which is no name of a size
                require_reason(case, image, why, str(refusal))
        return
    with server.connected(str(case.size)) as client:
        check_bytes(case, image, client, regions, seed)


# --- All of them -----------------------------------------------------------------------------------------------------


def run_cases(work: tuple[list[Case], Path, int]) -> Outcome:
    """Of one image, with one set of options."""
    cases, folder, seed = work
    image = folder / f"{cases[0].image}.raw"
    outcome = Outcome()

    def run(check: Callable[..., None], case: Case, *more: object) -> None:
        try:
            check(case, image, *more, seed)
            outcome.passed += 1
        except (Mismatch, nbdkit.ServerError) as why:
            outcome.failures.append(f"{case}: {why}")

    # A spelling that is relative or names a file, and one that is a number.
    picked = random.Random(f"{seed} {cases[0]}")
    alone = {picked.choice(kind) for kind in ([c for c in cases if c.spelling[5:].isdigit()], [
        c for c in cases if not c.spelling[5:].isdigit()]) if kind}
    served = next((c for c in cases if c not in alone and is_served(c, image)), None)
    if served is None:
        alone = set(cases)
    for case in alone:
        run(check_alone, case)
    if served is not None:
        with nbdkit.Server(folder, [f"file={image}", "size=export", *words(cases[0].options)]) as server:
            for case in cases:
                if case not in alone:
                    run(check_export, case, server)
    return outcome


def is_served(case: Case, image: Path) -> bool:
    try:
        expected(image, case.size, **model_options(case.options))
    except Refused:
        return False
    return True


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


def main() -> int:
    arguments = parse_arguments()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder_name:
        folder = Path(folder_name)
        nbdkit.keep_plugin(folder)
        skipped = write_images(folder, arguments.image or ())
        names = [name for name in arguments.image or CATALOGUE if name not in skipped]
        before = {name: fingerprint(folder / f"{name}.raw") for name in names}
        cases = [case for name in names for make in (cases_of, extend_cases_of)
                 for case in make(name, folder / f"{name}.raw", arguments.quick, arguments.every_step)]  # fmt: skip
        groups = itertools.groupby(cases, lambda case: (case.image, case.options))
        work = [(list(group), folder, arguments.seed) for _, group in groups]
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
    print(f"counted: served disks compared with the model | {len(cases)} | {len(failures)}")
    print(f"{passed} passed, {len(failures)} failed" + (f", {len(skipped)} skipped" if skipped else ""))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
