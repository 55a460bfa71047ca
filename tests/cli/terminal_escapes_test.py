#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Whatever is in a path, an option, a name on a disk, a file beside it, or what the kernel says of it: nothing of it does
anything to the terminal, nor looks like a line of ours."""

import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from escapes import EVIL, EVIL_NAME, everywhere, run  # noqa: E402
from images.catalogue import Disk, standard_entries  # noqa: E402

GPTGROW = os.fsencode(Path(os.environ.get("GPTGROW_BUILD", TESTS.parent / "build/dev")).resolve() / "cli/gptgrow")
VISIBLE = rb"\x1b]0;evil\x07"


def says(*words, status=None, quotes=True):
    """What comes of EVIL is quoted, so that a person sees it."""
    got, output = everywhere([GPTGROW, *words])
    assert status is None or got == status, (words, got, output)
    assert not quotes or VISIBLE in output, (words, output)


def options():
    for command in ([EVIL], [b"inspect", b"--" + EVIL, b"x"], [b"inspect", b"x", EVIL], [b"inspect", EVIL],
                    [b"plan", b"image.raw", b"--size", EVIL], [b"plan", b"image.raw", b"--reference", EVIL],
                    [b"plan", b"image.raw", b"--size", b"4M", b"--table", EVIL], [b"inspect", b"x", b"--json=" + EVIL],
                    [b"inspect", b"x", b"--sector-size", EVIL], [b"compare", EVIL, EVIL], [b"verify", EVIL, EVIL],
                    [b"repair", b"disk.raw", b"--from", EVIL], [b"repair", b"disk.raw", b"--undo", EVIL],
                    [b"repair", b"disk.raw", b"--move", EVIL], [b"repair", EVIL, b"--relocate"],
                    [b"repair", b"disk.raw", b"--from", b"image.raw", b"--slot", EVIL],
                    [b"extend", b"disk.raw", EVIL], [b"extend", EVIL, b"last"],
                    [b"plan", b"image.raw", b"--size", b"4M", b"--extend", EVIL],
                    [b"restore", EVIL, b"disk.raw"], [b"restore", b"image.raw", EVIL],
                    [b"restore", b"image.raw", b"disk.raw", b"--free-space", EVIL],
                    [b"plan", b"image.raw", b"--size", EVIL, b"--size", EVIL]):
        says(*command, status=2, quotes=command.count(EVIL) < 3 and command[-2:] != [b"--size", EVIL] or False)


def files_of_that_name():
    """An image and a disk whose names are EVIL, and whose partitions' names are."""
    image, disk = EVIL + b".raw", EVIL + b".disk"
    shutil.copy("image.raw", image)
    shutil.copy("disk.raw", disk)
    says(b"inspect", image, status=0)
    says(b"inspect", b"--json", image, status=0, quotes=False)
    assert json.loads(run([GPTGROW, b"inspect", b"--json", image])[1])["partitions"][0]["name"] == EVIL_NAME
    says(b"plan", image, b"--size", b"4M", status=1)
    says(b"plan", image, b"--size", b"4M", b"--json", status=1, quotes=False)
    says(b"plan", image, b"--size", b"1", status=2)
    says(b"compare", image, disk, status=1)
    says(b"compare", image, disk, b"--json", status=1, quotes=False)
    says(b"compare", b"image.raw", b"other.raw", quotes=False)
    says(b"verify", image, disk, status=1)
    says(b"verify", image, disk, b"--json", status=1, quotes=False)
    says(b"repair", disk, b"--from", image, status=1)
    says(b"repair", disk, b"--from", disk, status=2)
    says(b"repair", disk, b"--from", b"other.raw", status=2)
    says(b"repair", disk, b"--relocate", b"--json", quotes=False)
    says(b"extend", disk, b"last", status=1)
    says(b"extend", disk, b"1", status=2)
    says(b"extend", disk, b"last", b"--json", status=1, quotes=False)
    undo = EVIL + b".undo"
    status, output = run([GPTGROW, b"repair", disk, b"--from", image, b"--apply", b"--save-undo", undo])
    assert status == 0 and b"gptgrow repair $'e\\x1b]0;evil" in output, output
    says(b"repair", disk, b"--undo", undo, status=1)
    says(b"repair", disk, b"--undo", undo, b"--apply", quotes=True)
    shutil.copy("truncated.raw", image)
    says(b"plan", image, b"--size", b"64M", status=2)


def files_beside_a_disk():
    """Lines of undo files and maps, with the checksums that they should have."""
    for lines in (b"disk_size_bytes " + EVIL, EVIL, b"disk_size_bytes 4194304\nsector_size_bytes 512\nwrite 512 " + EVIL,
                  b"disk_size_bytes 4194304\nsector_size_bytes 512\nwrite 512 MBR\nbefore " + EVIL):
        text = b"gptgrow undo 1\n" + lines + b"\n"
        Path("undo").write_bytes(text + b"crc32 0x%08x\n" % zlib.crc32(text))
        says(b"repair", b"disk.raw", b"--undo", b"undo", status=2, quotes=False)
    for line in (EVIL, b'{"id": "%s"}' % EVIL, json.dumps({"id": EVIL_NAME, "image": EVIL_NAME, "size_bytes": 4 << 20,
                                                           "table_crc32": 1, "free_space": EVIL_NAME}).encode()):
        Path("map").write_bytes(b"# gptgrow restore: " + line + b"\n0x0 ? 1\n0x0 0x400000 ?\n" + EVIL)
        says(b"restore", b"image.raw", b"disk.raw", b"--map", b"map", b"--yes", status=2, quotes=False)
    os.remove("map")


def what_is_on_a_target():
    """Names and labels of what would be lost; the question after it."""
    subprocess.run(["mkfs.ext4", "-q", "-F", "-L", "l\x1b]0;evil\x07", "-E", "offset=131072", "disk.raw", "512K"], check=True,
                   capture_output=True)
    says(b"restore", b"image.raw", b"disk.raw", status=2)
    target = EVIL + b".target"
    shutil.copy("disk.raw", target)
    says(b"restore", b"image.raw", target, status=2)
    says(b"restore", b"image.raw", target, b"--yes", b"--map", b"nowhere/" + EVIL, status=2)
    says(b"restore", b"image.raw", target, b"--yes", status=0)


def what_the_kernel_says():
    """The file behind a loop device, and where it is mounted."""
    if os.getuid() != 0:
        return
    backing, place = EVIL + b".backing", EVIL + b".mnt"
    shutil.copy("disk.raw", backing)
    with ExitStack() as cleanup:
        loop = subprocess.run([TESTS / "attach_loop.sh", backing], capture_output=True)
        if loop.returncode != 0:
            return
        device = loop.stdout.strip()
        cleanup.callback(subprocess.run, ["losetup", "-d", device], check=True)
        says(b"restore", b"image.raw", device, status=2)
        says(b"repair", backing, b"--relocate", b"--apply", status=2)
        subprocess.run(["mkfs.ext4", "-q", "-F", device], check=True, capture_output=True)
        os.mkdir(place)
        subprocess.run([b"mount", device, place], check=True)
        cleanup.callback(subprocess.run, [TESTS / "while_busy.sh", "umount", place], check=True)
        says(b"restore", b"image.raw", device, status=2)
        says(b"repair", device, b"--relocate", b"--apply", status=2)


def main():
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        entries = standard_entries(512)
        first = min(entries)
        named = {slot: replace(entry, name=EVIL_NAME if slot == first else entry.name) for slot, entry in entries.items()}
        Disk(entries=named).write(Path("image.raw"))
        Disk(entries={slot: replace(entry, name="x" + EVIL_NAME[:34]) for slot, entry in entries.items()
                      if slot != first}).write(Path("other.raw"))
        shutil.copy("image.raw", "truncated.raw")
        os.truncate("truncated.raw", 64 * 512)
        shutil.copy("image.raw", "disk.raw")
        os.truncate("disk.raw", os.path.getsize("image.raw") + (1 << 20))
        with open("disk.raw", "r+b") as file:  # no active flag any more
            file.seek(446)
            file.write(struct.pack("B", 0x80))
        options()
        files_of_that_name()
        files_beside_a_disk()
        what_is_on_a_target()
        what_the_kernel_says()


main()
