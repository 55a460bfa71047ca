# SPDX-License-Identifier: BSD-3-Clause
"""What restore's tests share: images to restore, disks full of other bytes, and what must be on them afterwards."""

import array
import fcntl
import os
import shutil
import sys
import termios
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from images import gpt  # noqa: E402
from images.catalogue import CATALOGUE, write_images  # noqa: E402
from model.contract_model import read_regions  # noqa: E402

GPTGROW = Path(os.environ.get("GPTGROW_BUILD", TESTS.parent / "build/dev")) / "cli/gptgrow"
LARGEST = 32 << 20
JUNK = os.urandom(1 << 20)
S = 512


def small_images(folder):
    """All of the catalogue that fit into memory."""
    write_images(folder, [name for name, image in CATALOGUE.items() if not image.large])
    return [path for path in sorted(folder.glob("*.raw")) if path.stat().st_size <= LARGEST]


def scratch_parent():
    """In memory where there is room: the tools wait for each write."""
    memory = Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 512 << 20:
        return memory
    return None


def sector_bytes(image):
    return 4096 if "4096" in image.stem else S


def fill(path, size):
    with open(path, "wb") as file:
        for offset in range(0, size, len(JUNK)):
            file.write(JUNK[: size - offset])


def wanted_bytes(image, regions, size):
    with open(image, "rb") as file:
        return read_regions(file.fileno(), regions, 0, size)


def check_same(name, found, wanted):
    if found != wanted:
        at = next(i for i in range(len(wanted)) if found[i : i + 1] != wanted[i : i + 1])
        raise AssertionError(f"{name}: byte {at} is {found[at:at + 1].hex()}, expected {wanted[at]:02x}")


def valid_guid(disk, lba):
    """The DiskGUID of a valid table whose header is there, or None."""
    header = gpt.Header(disk[lba * S : (lba + 1) * S])
    if not header.has_signature or header.header_crc32 != header.computed_crc32() or header.my_lba != lba:
        return None
    start = header.partition_entry_lba * S
    entries = disk[start : start + header.array_size]
    return header.disk_guid if gpt.zlib.crc32(entries) == header.partition_entry_array_crc32 else None


def waits_for_input(pid):
    """Whether its standard input is empty, and the pipe that it takes that into, too."""
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            if fd.name in "12" or not os.readlink(fd).startswith("pipe:"):
                continue
            count = array.array("i", [1])
            with open(fd, "rb", buffering=0) as pipe:
                fcntl.ioctl(pipe, termios.FIONREAD, count)
        except FileNotFoundError:  # it is at work
            return False
        if count[0] != 0:
            return False
    return True
