# SPDX-License-Identifier: BSD-3-Clause
"""A real gptgrow-fuse, mounted for as long as a with statement lasts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
WHILE_BUSY = Path(__file__).resolve().parents[1] / "while_busy.sh"
TIMEOUT = 300  # by then something hangs
WHILE_BUSY = str(PROJECT / "tests/while_busy.sh")


class MountError(Exception):
    """It did not mount, or did not end well."""


def skip_without_fuse() -> None:
    if not os.path.exists("/dev/fuse") or not shutil.which("fusermount3"):
        print("SKIPPED: no FUSE here", file=sys.stderr)
        sys.exit(77)


def program() -> str:
    return str(Path(os.environ.get("GPTGROW_BUILD", PROJECT / "build/release"), "fuse/gptgrow-fuse").resolve())


@contextmanager
def mounted(image: Path, options: Sequence[str], environment: dict[str, str] | None = None) -> Iterator[Path]:
    """Raises MountError when it ends with another status than 0, or a sanitizer says something."""
    folder = Path(tempfile.mkdtemp())
    command = [program(), str(image), str(folder), "-f", "-o", ",".join(options)]
    with tempfile.TemporaryFile() as stderr:
        server = subprocess.Popen(command, stderr=stderr, env=dict(os.environ) | (environment or {}))

        def said() -> str:
            stderr.seek(0)
            return stderr.read().decode(errors="replace").strip()

        try:
            deadline = time.monotonic() + TIMEOUT
            while not os.path.ismount(folder):
                if server.poll() is not None or time.monotonic() > deadline:
                    raise MountError(f"exit status {server.poll()}: {said()}")
                time.sleep(0.002)
            yield folder
            subprocess.run([WHILE_BUSY, "fusermount3", "-u", str(folder)], check=True)
            if server.wait(TIMEOUT) != 0 or "Sanitizer" in said():
                raise MountError(f"exit status {server.returncode}: {said()[-4000:]}")
        finally:
            if server.returncode != 0:  # killed by a signal, it leaves its mount behind
                server.kill()
                server.wait(TIMEOUT)
                subprocess.run(["fusermount3", "-u", "-z", str(folder)], check=False, stderr=subprocess.DEVNULL)
            os.rmdir(folder)
