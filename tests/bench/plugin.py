#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The plugin against nbdkit's file plugin, in turns, on an image of 2 GiB: medians and their ratios.

    plugin.py [--pairs N] [--only NAME]...

The peer serves the same image by `nbdkit file`, through the truncate filter where the size is larger. Nothing fails
here: the last column says what the project wants to hold.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import nbd
from pairs import in_turns

PROJECT = Path(__file__).resolve().parents[2]
PLUGIN = os.environ.get("GPTGROW_PLUGIN", str(PROJECT / "build/release/nbd-plugin/nbdkit-gptgrow-plugin.so"))
GIB, TIB = 1 << 30, 1 << 40
IMAGE_SIZE = 2 * GIB
PR_SET_CHILD_SUBREAPER = 36


def make_image(path: Path) -> None:
    """All data, no holes, so that nothing is skipped."""
    with open(path, "wb") as file:
        block = os.urandom(1 << 20)
        for number in range(IMAGE_SIZE >> 20):
            file.write(number.to_bytes(8, "little") + block[8:])
    subprocess.run(["sgdisk", "--zap-all", path], capture_output=True, check=False)
    command = ["sgdisk", "-n1:64:8191", "-n5:8224:520191", "-n3:520192:0", path]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)


def ours(image: Path, size: int) -> list[str]:
    return [PLUGIN, str(image), f"size={size}"]


def peer(image: Path, size: int) -> list[str]:
    filtered = ["--filter=truncate", "file", str(image), f"truncate={size}"]
    return ["file", str(image)] if size == os.stat(image).st_size else filtered


@dataclass(frozen=True)
class Run:
    wall: float
    cpu: float
    output: str


def run(server: list[str], client: str) -> Run:
    """The client's command while the server serves; CPU time of both, whoever reaps them."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(["nbdkit", "-U", "-", *server, "--run", client], stdout=subprocess.PIPE, text=True, check=True)
    wall = time.monotonic() - start
    while True:
        try:
            os.wait()
        except ChildProcessError:
            break
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Run(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout)


def report(name: str, unit: str, a: list[float], b: list[float], wanted: str) -> None:
    """One line: medians of both sides, and the median of the ratios of runs that stood side by side."""
    ratio = statistics.median(x / y for x, y in zip(a, b, strict=True))
    a_median, b_median = statistics.median(a), statistics.median(b)
    print(f"{name:34} {a_median:12.4f} {b_median:12.4f} {unit:5} {ratio:7.3f}   {wanted}", flush=True)


def sequential(image: Path, pairs: int) -> None:
    for label, size in (("own size", IMAGE_SIZE), ("2T", 2 * TIB)):
        copy = 'nbdcopy "$uri" null:'
        mine, theirs = in_turns(pairs, lambda: run(ours(image, size), copy), lambda: run(peer(image, size), copy))
        speed = [1 / r.wall for r in mine], [1 / r.wall for r in theirs]
        report(f"nbdcopy, {label}: runs a second", "1/s", *speed, "at least 0.95")
        report(f"nbdcopy, {label}: CPU", "s", [r.cpu for r in mine], [r.cpu for r in theirs], "at most 1.03")


def evict(image: Path) -> None:
    with open(image, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def fio(server: list[str], depth: int, operations: int, seed: int) -> float:
    options = f"--iodepth={depth} --number_ios={operations} --randseed={seed} --size={IMAGE_SIZE}"
    command = f'fio --name=read --rw=randread --bs=4k --ioengine=nbd --uri="$uri" --output-format=json {options}'
    said = run(server, command).output
    return json.loads(said[said.index("{") :])["jobs"][0]["read"]["iops"]


def random_reads(image: Path, pairs: int) -> None:
    for state, depth, operations in (("warm", 1, 20000), ("warm", 32, 60000), ("cold", 1, 4000), ("cold", 32, 12000)):
        seeds = iter(range(1000))

        def measured(server: list[str]) -> float:
            if state == "cold":
                evict(image)
            return fio(server, depth, operations, next(seeds) // 2)

        size = IMAGE_SIZE
        mine, theirs = in_turns(pairs, lambda: measured(ours(image, size)), lambda: measured(peer(image, size)))
        report(f"4 KiB random, {state}, depth {depth}", "1/s", mine, theirs, "at least 0.95")
    with open(image, "rb") as file:
        while file.read(1 << 20):
            pass


def skipping(image: Path, pairs: int) -> None:
    """To a new file each time: a copy as a user makes one."""
    target = image.with_name("copy.raw")
    copy = f'rm -f {target}; nbdcopy "$uri" {target}'
    large, own = in_turns(
        pairs, lambda: run(ours(image, 2 * TIB), copy).wall, lambda: run(ours(image, IMAGE_SIZE), copy).wall
    )
    report("nbdcopy, 2T against own size", "s", large, own, "at most 1.2")


def first_byte(image: Path, pairs: int) -> None:
    def measured(server: list[str]) -> float:
        handle = nbd.NBD()
        start = time.monotonic()
        handle.connect_command(["nbdkit", "-s", "--exit-with-parent", *server])
        handle.pread(512, 0)
        taken = time.monotonic() - start
        handle.shutdown()
        return taken * 1000

    size = IMAGE_SIZE
    mine, theirs = in_turns(10 * pairs, lambda: measured(ours(image, size)), lambda: measured(peer(image, size)))
    report("exec to first byte", "ms", mine, theirs, "at most 1.1")


def peak_memory(server: list[str], scratch: Path) -> float:
    pid_file = scratch / "pid"
    command = f'nbdcopy "$uri" null: && grep VmHWM /proc/$(cat {pid_file})/status'
    status = run(["-P", str(pid_file), *server], command).output
    return int(re.search(r"VmHWM:\s*(\d+)", status)[1]) / 1024


def memory(image: Path, scratch: Path) -> None:
    for label, size in (("own size", IMAGE_SIZE), ("2T", 2 * TIB), ("16T", 16 * TIB)):
        mine = statistics.median(peak_memory(ours(image, size), scratch) for _ in range(5))
        theirs = statistics.median(peak_memory(peer(image, size), scratch) for _ in range(5))
        print(f"peak memory, {label:21} {mine:12.4f} {theirs:12.4f} MiB   {mine - theirs:+7.3f}   at most +2", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=30)
    parser.add_argument("--only", action="append", choices=["sequential", "random", "skipping", "first-byte", "memory"])
    arguments = parser.parse_args()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if not os.path.exists(PLUGIN):
        sys.exit(f"no plugin at {PLUGIN}: build it, or set GPTGROW_PLUGIN")
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/var/tmp")) as folder:
        image = Path(folder, "image.raw")
        make_image(image)
        print(f"{'':34} {'gptgrow':>12} {'nbdkit file':>12} {'':5} {'ratio':>7}   wanted")
        benches = {
            "sequential": lambda: sequential(image, arguments.pairs),
            "random": lambda: random_reads(image, arguments.pairs),
            "skipping": lambda: skipping(image, arguments.pairs),
            "first-byte": lambda: first_byte(image, arguments.pairs),
            "memory": lambda: memory(image, Path(folder)),
        }
        for name, bench in benches.items():
            if not arguments.only or name in arguments.only:
                bench()


main()
