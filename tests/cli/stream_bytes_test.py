#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every image of the catalogue, packed in turn by each packer and read from a file, a pipe, and a pipe that dribbles, is
restored to what the model of the contract says, to the last byte: to its own size, a larger or a smaller one in turn, each
fourth to all three. Longer and shorter files than AlternateLBA says are among them. What is refused leaves no valid table."""

import itertools
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from restored import GPTGROW, S, check_same, fill, sector_bytes, small_images, wanted_bytes

from model.contract_model import Refused, expected, smallest_size


def in_parts(command):
    """Members or frames of a third of the image each, one after the other."""
    def pack(image):
        third = len(image) // 3 + 1
        return b"".join(pipe(command, image[at : at + third]) for at in range(0, len(image), third))
    return pack


def pipe(command, data):
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout


PACKERS = {
    "raw": lambda image: image,
    "gzip": lambda image: pipe(["gzip", "-1"], image),
    "gzip, members": in_parts(["gzip", "-1"]),
    "pigz": lambda image: pipe(["pigz", "-1"], image),
    "xz": lambda image: pipe(["xz", "-0"], image),
    "xz, blocks": lambda image: pipe(["xz", "-0", "--block-size=1MiB"], image),
    "xz, streams": in_parts(["xz", "-0"]),
    "zstd": lambda image: pipe(["zstd", "-q", "-1"], image),
    "zstd, frames": in_parts(["zstd", "-q", "-1"]),
    "zstd, long window": lambda image: pipe(["zstd", "-q", "-1", "--long=27"], image),
    "bzip2": lambda image: pipe(["bzip2", "-1"], image),
    "lz4": lambda image: pipe(["lz4", "-q", "-1", "-c"], image),
    "lz4, frames": in_parts(["lz4", "-q", "-1", "-c"]),
}


def feed(stream, data, how):
    """A dribble: few bytes first, in the middle of headers."""
    with stream:
        at = 0
        for count in (1, 3, 507, 2, 4096, 13) if how == "dribble" else ():
            stream.write(data[at : at + count])
            stream.flush()
            at += count
            time.sleep(0.01)
        stream.write(data[at:])


def restore(source, packed, how, target, options):
    command = [GPTGROW, "restore", source if how == "file" else "-", target, "--yes", *options]
    if how == "file":
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        feed(process.stdin, packed, how)
    except BrokenPipeError:
        pass  # it refused
    process.stdin = None
    out, err = process.communicate()
    return subprocess.CompletedProcess(command, process.returncode, out.decode(), err.decode())


def has_signature(found):
    return any(found[at : at + 8] == b"EFI PART" for s in (512, 4096) for at in (s, len(found) // s * s - s))


def check(folder, image, size, packer, how, keep):
    name = f"{image.stem} to {size} bytes, {packer} by {how}{', old backup kept' if keep else ''}"
    own = folder / f"{image.stem}-{size}-{keep}"
    own.mkdir()
    target, source = own / "target", own / "source"
    packed = PACKERS[packer](image.read_bytes())
    source.write_bytes(packed)
    fill(target, size)
    options = ["--free-space", "zero", *(("--old-backup", "keep") if keep else ())]
    # A raw file is read once only if there is something to be found on the way.
    if packer == "raw" and how == "file":
        digest = subprocess.run(["sha256sum", source], capture_output=True, text=True, check=True).stdout.split()[0]
        options += ["--sha256", digest]
    done = restore(source, packed, how, target, options)
    said = f"{name}: {done.stdout}{done.stderr}"
    found = target.read_bytes()
    assert source.read_bytes() == packed, f"{name}: the image changed"
    try:
        regions = expected(image, size, old_backup="keep" if keep else "zero")
    except Refused as why:
        assert done.returncode == 2 and not has_signature(found), f"not refused: {why}: {said}"
        return 0
    assert done.returncode == 0, said
    wanted = wanted_bytes(image, regions, size)
    check_same(name, found, wanted)
    if how == "file":
        again = subprocess.run([GPTGROW, "verify", source, target, *(options[2:4] if keep else ())], capture_output=True, text=True)
        assert again.returncode == 0, f"{name}: verify: {again.stdout}{again.stderr}"
        data = next((region.start for region in regions if region.kind == "image" and region.end - region.start > S), None)
        if data is not None:
            with open(target, "r+b") as file:
                file.seek(data + S)
                file.write(bytes([wanted[data + S] ^ 1]))
            again = subprocess.run([GPTGROW, "verify", source, target], capture_output=True, text=True)
            assert again.returncode == 1, f"{name}: a flipped bit is not seen: {again.stdout}{again.stderr}"
    for path in (target, source):
        path.unlink()
    return 1


def main():
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        images = small_images(folder)
        # Its backup is long past, and behind the end of a smaller disk, when it ends.
        longer = folder / "much-longer-than-alternate-512.raw"
        longer.write_bytes(next(path for path in images if path.stem == "array-padding-512").read_bytes() + os.urandom(4 << 20))
        images.insert(0, longer)
        ways = itertools.cycle(itertools.product(PACKERS, ("file", "pipe", "dribble")))
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            waiting = []
            for number, image in enumerate(images):
                s = sector_bytes(image)
                own = image.stat().st_size // s * s
                try:
                    smallest = smallest_size(image) or 0
                except Refused:
                    smallest = 0
                sizes = [own, own + (1 << 20) + 3 * s, smallest if smallest < own else (smallest + own) // 2 // s * s]
                for size in set(sizes if number % 4 == 0 else sizes[number % 3 :][:1]) - {0}:
                    waiting.append(pool.submit(check, folder, image, size, *next(ways), number % 5 == 0))
            failed = [str(each.exception()) for each in waiting if each.exception()]
            restored = sum(each.result() for each in waiting if not each.exception())
        print(f"counted: restores of streams compared with the model | {len(waiting)} | 0")
        print(f"{restored} restores of {len(images)} images, {len(waiting) - restored} refused")
        for each in failed:
            print("FAILED", each, file=sys.stderr)
        assert not failed, f"{len(failed)} failed"
        assert restored > len(waiting) // 2


main()
