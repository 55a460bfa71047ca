#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Whatever is in a path, an option or a partition's name: nothing of it does anything to the terminal, neither in messages,
libfuse's own ones too, nor in layout.txt and layout.json."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))
sys.path.insert(0, str(TESTS / "fuse"))

import gptgrow_fuse  # noqa: E402
from escapes import EVIL, EVIL_NAME, check, everywhere  # noqa: E402
from images.catalogue import Disk, standard_entries  # noqa: E402

VISIBLE = rb"\x1b]0;evil\x07"


def refused(*words):
    status, output = everywhere([gptgrow_fuse.program(), *words])
    assert status == 1 and VISIBLE in output, (words, status, output)


def layouts(image):
    """Served from a file whose name is EVIL, with something to warn about."""
    os.mkdir("mnt")
    server = subprocess.Popen([gptgrow_fuse.program(), image, "mnt", "-f", "-o", "size=64M"], stderr=subprocess.PIPE)
    try:
        while not os.path.ismount("mnt") and server.poll() is None:
            time.sleep(0.01)
        assert server.poll() is None, server.stderr.read()
        for name in ("layout.txt", "layout.json"):
            text = Path("mnt", name).read_bytes()
            check(text, name)
            assert b"evil" in text, text
    finally:
        subprocess.run([gptgrow_fuse.WHILE_BUSY, "fusermount3", "-u", "mnt"], check=False)
        said = server.communicate(timeout=60)[1]
    assert server.returncode == 0, said
    check(said, "warnings")
    assert VISIBLE in said, said


def main():
    gptgrow_fuse.skip_without_fuse()
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        entries = standard_entries(512)
        Disk(entries={slot: replace(entry, name=EVIL_NAME) for slot, entry in entries.items()}).write(Path("image.raw"))
        os.mkdir("empty")
        refused(EVIL, b"empty", b"-o", b"size=64M")
        refused(b"image.raw", EVIL, b"-o", b"size=64M")
        refused(b"image.raw", b"empty", EVIL, b"-o", b"size=64M")
        refused(b"image.raw", b"empty", b"-o", b"size=" + EVIL)
        refused(b"image.raw", b"empty", b"-o", b"reference=" + EVIL)
        refused(b"image.raw", b"empty", b"-o", b"size=64M,table=" + EVIL)
        refused(b"image.raw", b"empty", b"-o", b"size=64M," + EVIL)
        with open("image.raw", "r+b") as file:  # no backup: a warning
            file.truncate(3072 * 512)
        image = EVIL + b".raw"
        shutil.copy("image.raw", image)
        layouts(image)


main()
