#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Whichever one call of the system fails, and at whichever moment: what is said to be done is done; else there is a reason, and
the target has no valid table, or was not touched, or it is told what of its table may be there.

Of each kind of calls the first ones and the last one are tried, but for most of the loader's.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from restored import GPTGROW, TESTS, valid_guid

SIZE = 8 << 20
# Not eventfd2: Boost.Asio 1.83 does not survive it.
CALLS = {"openat", "fstat", "newfstatat", "fstatfs", "fsync", "rename", "ftruncate", "ioctl", "lseek", "getdents64",
         "memfd_create", "prlimit64", "io_uring_setup", "fallocate", "pread64", "pwrite64", "read", "write"}
FIRST = 2
IN_PART = ("has all the data, and perhaps not the whole table", "its old table may still be there, in part")


def traced(log: Path, calls: str, options: list[str], command: list) -> subprocess.CompletedProcess:
    return subprocess.run(["strace", "-f", "--seccomp-bpf", "-qq", "-o", log, "-e", "trace=" + calls, *options, *command],
                          capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120)


class Case:
    """A command of which each call fails in turn."""

    def __init__(self, folder: Path, name: str, command: list, target: Path | None, wanted: bytes) -> None:
        self.folder, self.name, self.command, self.target, self.wanted = folder / name, name, command, target, wanted
        self.folder.mkdir()

    def prepare(self, number: str) -> tuple[list, Path | None]:
        folder = self.folder / number
        folder.mkdir()
        target = folder / "target.raw" if self.target else None
        if target and self.target:
            shutil.copyfile(self.target, target)
        return [target if word is None else str(word).replace("FOLDER", str(folder)) for word in self.command], target

    def calls(self) -> list[tuple[str, int]]:
        """Those that are to fail, by their number in the first thread, behind the loader's."""
        command, _ = self.prepare("count")
        done = traced(self.folder / "log", ",".join(CALLS), [], command)
        assert done.returncode == 0, done
        lines = re.findall(r"^(\d+) +(\w+)\((.*)", (self.folder / "log").read_text(), re.M)
        count, loaded = Counter(), Counter()
        for process, call, arguments in lines:
            if process == lines[0][0]:
                count[call] += 1
                loaded = count.copy() if re.search('"/(lib|usr/lib|etc/ld)', arguments) else loaded
        return [(call, number) for call, last in count.items() for number in range(loaded[call] + 1, last + 1)
                if number <= loaded[call] + FIRST or number == last]

    def fails(self, call: str, number: int) -> str | None:
        """What is wrong with it."""
        folder = f"{call}-{number}"
        command, target = self.prepare(folder)
        done = traced(self.folder / folder / "log", call, ["-e", f"inject={call}:error=EIO:when={number}"], command)
        said = f"{self.name}: call {number} of {call}: {done}"
        is_loader = done.returncode == 127 and "loading shared libraries" in done.stderr
        if done.returncode != 0 and not is_loader and (done.returncode != 2 or not re.search("^gptgrow: ", done.stderr, re.M)):
            return said
        if target and not any(text in done.stderr for text in IN_PART):
            disk, before = target.read_bytes(), self.target.read_bytes()
            is_free = valid_guid(disk, 1) is None and valid_guid(disk, len(disk) // 512 - 1) is None
            if disk != self.wanted and (done.returncode == 0 or not is_free and disk != before):
                return "neither whole nor without a table: " + said
        shutil.rmtree(self.folder / folder)
        return None


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(2) as pool:
        folder = Path(scratch)
        image, before, packed, wanted = (folder / name for name in ("image.raw", "before.raw", "image.raw.zst", "wanted.raw"))
        image.write_bytes(os.urandom(2 << 20) + bytes(1 << 20))
        subprocess.run(["sgdisk", "--clear", "-n1:64:4000", "-n2:4096:5000", image], check=True, capture_output=True)
        subprocess.run(["zstd", "-q", image], check=True)
        subprocess.run([TESTS / "model/write_disk.py", image, str(SIZE), wanted], check=True)
        before.write_bytes(wanted.read_bytes())
        subprocess.run(["sgdisk", "--zap-all", "-n1:2048:0", before], check=True, capture_output=True)
        served = wanted.read_bytes()
        cases = [Case(folder, "restore", [GPTGROW, "restore", image, None, "--yes", "--map", "FOLDER/map"], before, served),
                 Case(folder, "packed", [GPTGROW, "restore", packed, None, "--yes"], before, served),
                 Case(folder, "inspect", [GPTGROW, "inspect", image], None, served)]
        jobs = [pool.submit(case.fails, *call) for case in cases for call in case.calls()]
        failures = [why for job in jobs if (why := job.result())]
    for failure in failures:
        print("FAILED", failure)
    print(f"{len(jobs)} calls failed")
    sys.exit(1 if failures or len(jobs) < 50 else 0)


if __name__ == "__main__":
    main()
