# SPDX-License-Identifier: BSD-3-Clause
"""Whether what a client reads of a served disk, and what it is told of holes, is what the model of the contract says."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass

from model.contract_model import Region, read_regions, region_at
from plugin import nbdkit

KIB, MIB, GIB, TIB = 1 << 10, 1 << 20, 1 << 30, 1 << 40
READ_AT_ONCE = 128 * KIB  # a malloc of more is a mmap, whose page faults cost more than the read
READ_WHOLE_UP_TO = 16 * MIB
MAP_WHOLE_UP_TO = 64 * GIB


class Mismatch(Exception):
    pass


@dataclass
class Comparison:
    client: nbdkit.Client
    image_fd: int
    regions: list[Region]
    choose: random.Random

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
            places += [self.choose.randrange(start, end - length) for _ in range(count)]
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
            start = self.choose.randrange(grown.start, grown.end) // 4096 * 4096
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
