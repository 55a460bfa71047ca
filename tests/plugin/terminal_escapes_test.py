#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Whatever is in a path or a parameter: nothing of it does anything to a terminal, neither in messages nor in the
description that a client is shown."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))
sys.path.insert(0, str(TESTS / "plugin"))

import nbd  # noqa: E402
import nbdkit  # noqa: E402
from escapes import EVIL, check, run  # noqa: E402
from images.catalogue import Disk  # noqa: E402

VISIBLE = rb"\x1b]0;evil\x07"


def command(*parameters):
    return [os.fsencode(word) for word in nbdkit.command([])] + list(parameters)


def main():
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        Disk().write(Path("image.raw"))
        for parameters in ([b"file=" + EVIL, b"size=8M"], [b"image.raw", b"size=" + EVIL], [b"image.raw", b"reference=" + EVIL],
                           [b"image.raw", b"size=8M", b"table=" + EVIL], [b"image.raw", b"file=" + EVIL, b"size=8M"]):
            status, output = run(command(*parameters))
            assert status == 1 and VISIBLE in output, (parameters, status, output)
        with open("image.raw", "r+b") as file:  # no backup: a warning
            file.truncate(3072 * 512)
        image = EVIL + b".raw"
        shutil.copy("image.raw", image)
        private = [os.fsencode(word) for word in nbdkit.command([], how=("-U", "-"))]
        status, output = run([*private, b"file=" + image, b"size=8M", b"--run", b"true"])
        assert VISIBLE in output, output

        image = EVIL.replace(b"\x9b31m", b"") + b".raw"  # libnbd's Python wants UTF-8
        handle = nbd.NBD()
        handle.set_full_info(True)
        shutil.copy("image.raw", "plain.raw")
        os.rename("plain.raw", image)
        arguments = [os.fsdecode(word) for word in command(b"file=" + image, b"size=8M", b"--exit-with-parent")]
        handle.connect_command(arguments)
        description = handle.get_export_description().encode(errors="surrogateescape")
        handle.shutdown()
        check(description, "description")
        assert VISIBLE in description, description


main()
