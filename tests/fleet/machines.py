# SPDX-License-Identifier: BSD-3-Clause
"""Machines that restore one image at once, each to a disk of its own size, and what must be on the disks afterwards."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from images.catalogue import LINUX_DATA, VMFS, Disk, guid  # noqa: E402
from images.gpt import Entry  # noqa: E402
from model.contract_model import ImageFile, Region, expected, is_valid, read_regions  # noqa: E402
from fleet import network  # noqa: E402

PROJECT = Path(__file__).resolve().parents[2]
RESCUE = PROJECT / "examples/fleet/rescue.sh"
GPTGROW = Path(os.environ.get("GPTGROW_BUILD", PROJECT / "build/dev"), "cli/gptgrow").resolve()
MACHINES = 16
TIMEOUT = 600  # by then something hangs
S, MIB, GIB, TIB = 512, 1 << 20, 1 << 30, 1 << 40


def make_image(path: Path, data_mib: int) -> None:
    """A quarter of its data can be packed; between the parts there are holes, and between the slots a gap."""
    last_lba = 4 * data_mib * MIB // S - 1
    middle = last_lba // 2 // 2048 * 2048
    entries = {1: Entry(LINUX_DATA, guid("fleet 1"), 2048, middle - 1), 5: Entry(VMFS, guid("fleet 5"), middle, last_lba - 2048)}
    Disk(last_lba=last_lba, entries=entries, data=[], junk_in_unused_slots=True).write(path)
    with open(path, "r+b") as file:
        for start in (MIB, middle * S):
            file.seek(start)
            for _ in range(data_mib // 2):
                file.write(b"".join(os.urandom(3072) + bytes(1024) for _ in range(MIB // 4096)))
        file.flush()
        os.fsync(file.fileno())


def disk_sizes(image: Path, count: int = MACHINES, seed: int = 1) -> list[int]:
    """Each another, from the image's own to 2 TiB, the least step a sector."""
    own, choose = image.stat().st_size, random.Random(seed)
    found = {own, own + S, 2 * TIB}
    while len(found) < count:
        found.add(own + int(2 ** choose.uniform(20, 41)) // S * S)
    return sorted(found)[:count]


def make_image_and_zst(folder: Path, data_mib: int) -> Path:
    """The image, in a folder of its own, with the same packed beside it, as a web server has it."""
    image = folder / "files/image.raw"
    image.parent.mkdir()
    make_image(image, data_mib)
    subprocess.run(["zstd", "-q", "-1", "-T0", image, "-o", image.with_suffix(".zst")], check=True)
    return image


def blank_disks(folder: Path, sizes: Sequence[int]) -> list[Path]:
    """Each with the table of another disk at its beginning and its end."""
    disks = []
    for number, size in enumerate(sizes):
        disk = folder / f"disk{number}.raw"
        disk.unlink(missing_ok=True)
        # Another DiskGUID than the image's, or a restore that was cut off would go on.
        Disk(last_lba=size // S - 1, disk_guid=guid("old"), data=[]).write(disk)
        disks.append(disk)
    return disks


# --- What is on a disk -----------------------------------------------------------------------------------------------


def extents(fd: int, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Start and end of what is no hole."""
    while start < end:
        try:
            first = os.lseek(fd, start, os.SEEK_DATA)
        except OSError:
            return
        start = min(os.lseek(fd, first, os.SEEK_HOLE), end)
        if first < end:
            yield first, start


def with_bytes(image_fd: int, regions: Sequence[Region]) -> Iterator[tuple[int, int]]:
    """Where the disk that the contract promises may hold something else than zeros."""
    for region in regions:
        if region.kind == "bytes":
            yield region.start, region.end
        elif region.kind == "image":
            shift = region.start - region.image_offset
            for start, end in extents(image_fd, region.image_offset, region.image_offset + region.length):
                yield start + shift, end + shift


def check_disk(disk: Path, image: Path, size: int) -> None:
    """Every byte is the contract model's. What is a hole on both sides is not read."""
    assert disk.stat().st_size == size, f"{disk}: {disk.stat().st_size} bytes, expected {size}"
    regions = expected(image, size)
    with open(disk, "rb") as found, open(image, "rb") as source:
        looked_at = [*extents(found.fileno(), 0, size), *with_bytes(source.fileno(), regions)]
        done = 0
        for start, end in sorted(looked_at):
            for at in range(max(start, done), end, MIB):
                count = min(MIB, end - at)
                wanted = read_regions(source.fileno(), regions, at, count)
                got = os.pread(found.fileno(), count, at)
                if got != wanted:
                    at += next(i for i in range(count) if got[i : i + 1] != wanted[i : i + 1])
                    raise AssertionError(f"{disk}, {size} bytes: byte {at} is not what the contract says")
            done = max(done, end)


def has_table(disk: Path) -> bool:
    """A valid GPT at either end."""
    size = disk.stat().st_size
    return any(is_valid(ImageFile(str(disk), size), lba, S) for lba in (1, size // S - 1))


def written(disk: Path) -> int:
    return disk.stat().st_blocks * 512


# --- Restoring -------------------------------------------------------------------------------------------------------


@dataclass
class Restore:
    process: subprocess.Popen
    disk: Path
    size: int
    said: str = ""

    def wait(self) -> int:
        self.said = self.process.communicate(timeout=TIMEOUT)[0]
        return self.process.returncode


def environment() -> dict[str, str]:
    return os.environ | {"PATH": f"{GPTGROW.parent}:{os.environ['PATH']}"}


@contextmanager
def restoring(source: Sequence[str], disks: Sequence[Path], options: Sequence[str] = ()) -> Iterator[list[Restore]]:
    """The rescue script on each machine at once; source is the script's first words."""
    assert GPTGROW.exists(), f"no {GPTGROW}: build it, or set GPTGROW_BUILD"
    restores = [Restore(subprocess.Popen(network.on(machine, [str(RESCUE), *source, str(disk), *options]),
                                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                         env=environment(), start_new_session=True),
                        disk, disk.stat().st_size)
                for machine, disk in enumerate(disks)]
    try:
        yield restores
    finally:
        for each in restores:
            if each.process.poll() is None:
                os.killpg(each.process.pid, signal.SIGKILL)
                each.process.wait()


def all_restored(restores: Sequence[Restore], image: Path) -> None:
    for each in restores:
        status = each.wait()
        assert status == 0, f"{each.disk}: exit status {status}: {each.said}"
    for each in restores:
        check_disk(each.disk, image, each.size)


def check_the_check(folder: Path, image: Path) -> None:
    """What says that a disk is right is able to say that it is wrong."""
    size = image.stat().st_size + GIB
    disk = blank_disks(folder, [size])[0]
    assert has_table(disk)
    for place in (0, 1024, size - 1, size - S, size // 2, image.stat().st_size // 2 + MIB):
        subprocess.run([GPTGROW, "restore", image, disk, "--yes", "--no-verify"], check=True, capture_output=True)
        check_disk(disk, image, size)
        with open(disk, "r+b") as file:
            byte = os.pread(file.fileno(), 1, place)[0] ^ 1
            os.pwrite(file.fileno(), bytes([byte]), place)
        try:
            check_disk(disk, image, size)
        except AssertionError:
            continue
        raise SystemExit(f"byte {place} is wrong, and nobody said so")
    disk.unlink()
