#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The image is cut off, deleted or replaced while it is served: EIO for what is gone, the old bytes for what is not."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import nbd  # noqa: E402
from images.catalogue import Disk  # noqa: E402
from model.contract_model import expected, read_regions  # noqa: E402
from plugin import nbdkit  # noqa: E402

SIZE = 8 << 20
IMAGE_SIZE = 2 << 20


def errno_of(call: Callable[[], object]) -> int | None:
    try:
        call()
    except nbd.Error as why:
        return why.errnum if isinstance(why.errnum, int) else getattr(errno, why.errno)
    return None


def whole(image: Path) -> bytes:
    with open(image, "rb") as file:
        return read_regions(file.fileno(), expected(image, SIZE), 0, SIZE)


def cut_off(image: Path, client: nbdkit.Client, before: bytes) -> None:
    half = IMAGE_SIZE // 2
    os.truncate(image, half)
    assert client.read(half - 4096, 4096) == before[half - 4096 : half]
    for offset, length in ((half - 1, 2), (half, 1), (IMAGE_SIZE - 20000, 512), (0, SIZE)):
        assert errno_of(lambda o=offset, n=length: client.read(o, n)) == errno.EIO, (offset, length)
    assert errno_of(lambda: list(client.extents(half, half + 4096))) == errno.EIO
    # What does not come from the image is served on.
    assert client.read(SIZE - 512, 512) == before[-512:]
    assert client.read(IMAGE_SIZE, 4096) == bytes(4096)


def cut_off_and_regrown(image: Path, client: nbdkit.Client, before: bytes) -> None:
    """Zeros that somebody else wrote are the image's bytes: only what is missing can be told."""
    os.truncate(image, IMAGE_SIZE // 2)
    os.truncate(image, IMAGE_SIZE)
    assert client.read(0, 4096) == before[:4096]
    assert client.read(IMAGE_SIZE // 2, 4096) == bytes(4096)


def deleted(image: Path, client: nbdkit.Client, before: bytes) -> None:
    image.unlink()
    assert client.read(0, SIZE) == before


def replaced(image: Path, client: nbdkit.Client, before: bytes) -> None:
    other = image.with_suffix(".new")
    other.write_bytes(b"other" * 1000)
    other.rename(image)
    assert client.read(0, SIZE) == before


def main() -> int:
    failed = 0
    cases = (cut_off, cut_off_and_regrown, deleted, replaced)
    for case in cases:
        with tempfile.TemporaryDirectory() as scratch:
            image = Path(scratch, "image.raw")
            Disk().write(image)
            before = whole(image)
            try:
                with nbdkit.served([str(image), f"size={SIZE}"]) as client:
                    case(image, client, before)
            except (AssertionError, nbdkit.ServerError) as why:
                failed += 1
                print(f"{case.__name__}: {type(why).__name__} {why}")
    print(f"{len(cases) - failed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
