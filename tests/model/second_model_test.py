#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Both models read the contract in the same way: for every image of the catalogue, at many sizes and with all options, both refuse
or both give the same bytes, at every edge of what is served and a little around it.

    second_model_test.py [IMAGE...]
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from images.catalogue import CATALOGUE, write_images  # noqa: E402
from model.contract_model import Refused, expected, load, read_regions, smallest_size  # noqa: E402

SECOND_MODEL = Path(os.environ["GPTGROW_BUILD"], "tests/model/second-model")
AROUND = 4096


@dataclass(frozen=True)
class Question:
    size: int
    options: dict

    def line(self, windows: list[tuple[int, int]]) -> str:
        get = self.options.get
        extend = {None: 0, "last": -1}.get(get("extend"), get("extend"))
        words = [self.size, get("sector_size") or 0, int(get("table") == "backup"), int(get("old_backup") == "keep"),
                 int(get("truncated") == "allow"), extend, *itertools.chain(*windows)]  # fmt: skip
        return " ".join(map(str, words))


def sizes(image: Path, options: dict) -> set[int]:
    size = image.stat().st_size
    found = {size, size + 1, 2**63 - 4096}
    reading = {key: options[key] for key in ("sector_size", "table") if key in options}
    try:
        smallest = smallest_size(image, **reading)
        s = load(image, **reading)[1].sector_size
    except Refused:
        return found
    around = () if smallest is None else (smallest - s, smallest, smallest + s)
    return {n for n in {*found, *around, size + s, size + 33 * s} if n >= 0}


def questions(image: Path, variant: dict) -> list[Question]:
    given = {key.replace("-", "_"): int(value) if value.isdigit() else value for key, value in variant.items()}
    result = []
    for more in ({}, {"table": "backup"}, {"old_backup": "keep"}, {"truncated": "allow"}, {"extend": "last"}, {"extend": "2"}):
        options = {**given, **more}
        result += [Question(size, options) for size in sorted(sizes(image, options))[:: 3 if more else 1]]
    return result


def windows_of(regions: list) -> list[tuple[int, int]]:
    edges = sorted({edge for region in regions for edge in (region.start, region.end)})
    end = edges[-1]
    ranges = [(max(edge - AROUND, 0), min(edge + AROUND, end)) for edge in edges]
    return [(first, last - first) for first, last in ranges if first < last]


def check_image(image: Path, variants: tuple[dict, ...]) -> list[str]:
    asked, answers = [], []
    with open(image, "rb") as file:
        for question in itertools.chain(*(questions(image, variant) for variant in (*variants, {}))):
            try:
                regions = expected(image, question.size, **question.options)
            except Refused as why:
                asked.append((question, question.line([])))
                answers.append(("refused", str(why)))
                continue
            crc, windows = 0, windows_of(regions)
            for start, length in windows:
                crc = zlib.crc32(read_regions(file.fileno(), regions, start, length), crc)
            asked.append((question, question.line(windows)))
            answers.append((str(crc), ""))
    done = subprocess.run([SECOND_MODEL, image], input="\n".join(line for _, line in asked), capture_output=True, text=True, check=True)
    said = done.stdout.split()
    assert len(said) == len(answers), done.stderr
    return [f"{question}: {second}, expected {first} {why}"
            for (question, _), (first, why), second in zip(asked, answers, said) if first != second]  # fmt: skip


def main(names: list[str]) -> int:
    count = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in names or CATALOGUE:
            image = Path(folder) / f"{name}.raw"
            if write_images(Path(folder), [name]):
                continue
            wrong = check_image(image, CATALOGUE[name].variants)
            image.unlink()
            count, failed = count + 1, failed + bool(wrong)
            for what in wrong[:5]:
                print(f"{name}: {what}", file=sys.stderr)
    print(f"{count} images, the models differ in {failed}")
    return 1 if failed or not count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
