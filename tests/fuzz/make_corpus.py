#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes what fuzzers begin with into a directory each: make_corpus.py DIR

DIR/plan: small images, with sizes and options. DIR/stream: such images as they are, packed by each packer, in one part and in
two, and for the fuzzer to pack. DIR/format: files that qemu-img makes. Each in the form that the fuzzer's source says. What they
find beyond that is in corpus, which git keeps.
"""

from __future__ import annotations

import struct
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from images import gpt  # noqa: E402
from images.catalogue import BASIC_DATA, Disk, flip, guid, protective  # noqa: E402

RELATIVE = 0x20
MEND_CRCS = 0x40


def small(sector_size: int, **knobs) -> Disk:
    entries = {
        1: gpt.Entry(BASIC_DATA, guid("one"), 8, 9),
        3: gpt.Entry(BASIC_DATA, guid("three"), 10, 12),
    }
    return Disk(**{"sector_size": sector_size, "last_lba": 20, "entry_count": 4, "entries": entries, "data": [], **knobs})


IMAGES = {
    "plain-512": small(512),
    "plain-4096": small(4096),
    "entries-of-256": small(512, entry_size=256),
    "array-far": small(512, primary_array_lba=4, backup_array_lba=16),
    "header-of-512": small(512, header_size=512, primary_tail=b"tail" * 100),
    "hybrid": small(512, records=[gpt.MbrRecord(0x83, 8, 2), protective(19), protective(0xFFFFFFFF)]),
    "usable-late": small(512, first_usable_lba=10),
}
OPTIONS = {"grow": (1 << 20, RELATIVE), "own": (0, RELATIVE | MEND_CRCS), "shrink": (18 * 512, 2), "backup": (1 << 40, 1)}


BLOCK = 512


def pieces(file: bytes) -> bytes:
    """Of the first 64 blocks that are not zeros."""
    blocks = [at for at in range(0, len(file), BLOCK) if any(file[at : at + BLOCK])]
    return struct.pack("<I", len(file)) + b"".join(
        struct.pack("<IH", at, len(file[at : at + BLOCK])) + file[at : at + BLOCK] for at in blocks[:64])


PACKERS = (["gzip", "-n"], ["bzip2"], ["xz"], ["zstd", "-q", "--check"], ["lz4", "-q", "-c"])


def packed(image: bytes):
    yield "raw", image
    for packer in PACKERS:
        def pack(part: bytes, packer: list[str] = packer) -> bytes:
            return subprocess.run(packer, input=part, stdout=subprocess.PIPE, check=True).stdout
        yield packer[0], pack(image)
        yield f"{packer[0]}-parts", pack(image[:3000]) + pack(image[3000:])


FORMATS = {
    "qcow2": (0, "qcow2", ""), "qcow2-old": (0, "qcow2", "compat=0.10"), "qcow2-512": (0, "qcow2", "cluster_size=512"),
    "vdi": (1, "vdi", ""), "vhd": (2, "vpc", ""), "vhd-fixed": (2, "vpc", "subformat=fixed"), "vhdx": (3, "vhdx", ""),
    "vmdk": (4, "vmdk", ""), "vmdk-stream": (4, "vmdk", "subformat=streamOptimized"),
    "vmdk-flat": (4, "vmdk", "subformat=monolithicFlat"), "vmdk-split": (4, "vmdk", "subformat=twoGbMaxExtentSparse"),
}


def make_formats(folder: Path, scratch: Path) -> None:
    folder.mkdir()
    with open(scratch / "raw", "wb") as raw:
        raw.write(b"data" * 100)
        raw.truncate(1 << 20)
    for name, (number, form, options) in FORMATS.items():
        path = scratch / f"{name}.{form}"
        subprocess.run(["qemu-img", "convert", "-q", "-f", "raw", "-O", form, *(["-o", options] if options else []), scratch / "raw",
                        path], check=True)
        (folder / name).write_bytes(bytes([number]) + pieces(path.read_bytes()))


def main() -> None:
    plan, stream = (Path(sys.argv[1], name) for name in ("plan", "stream"))
    plan.mkdir(parents=True)
    stream.mkdir()
    with tempfile.TemporaryDirectory() as scratch:
        make_formats(Path(sys.argv[1], "format"), Path(scratch))
        path = Path(scratch, "image")
        for image_name, disk in IMAGES.items():
            for damage in ("", "no-backup", "no-primary"):
                disk.write(path)
                if damage:
                    flip(path, disk.sector_size + 60 if damage == "no-primary" else disk.size - disk.sector_size + 60)
                image = path.read_bytes()
                for option_name, (size, flags) in OPTIONS.items():
                    name = "-".join(filter(None, (image_name, damage, option_name)))
                    (plan / name).write_bytes(struct.pack("<QB", size, flags) + pieces(image))
                if damage == "no-primary":
                    continue
                files = [(how, 0, file) for how, file in packed(image)]
                files += [(f"by-{number}", number, pieces(image)) for number in range(1, len(PACKERS) + 1)]
                for number, (how, made, file) in enumerate(files):
                    size = (len(image), 100_000, len(image) - disk.sector_size * 4)[number % 3]
                    (stream / "-".join(filter(None, (image_name, damage, how)))).write_bytes(struct.pack("<BI", made, size) + file)


main()
