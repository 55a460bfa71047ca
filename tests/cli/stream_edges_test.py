#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Compressed images whose end is not where their head lets one expect it: the backup array anywhere before its header, data in
the space around it, files longer and shorter than AlternateLBA says. Restored to new and to used files of their own and other
sizes they are what the model of the contract says; verify of the same file agrees, and sees a flipped bit. What is read once,
and lies on the target, is refused."""

import itertools
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from restored import GPTGROW, S, TESTS, check_same, fill, wanted_bytes

sys.path.insert(0, str(TESTS))

from images import gpt  # noqa: E402
from images.catalogue import BASIC_DATA, Disk, guid  # noqa: E402
from model.contract_model import Refused, expected, smallest_size  # noqa: E402

MIB = 1 << 20
LAST = 10 * MIB // S - 1


def images(folder):
    """Data everywhere, also where no partition is."""
    entries = {2: gpt.Entry(BASIC_DATA, guid("one"), 2048, 9000), 5: gpt.Entry(BASIC_DATA, guid("two"), 9001, 10111)}
    gaps = [33, 34, 40, 100, 1000, 1025, 3000, 9000]  # from the first sector of the backup array to its header
    for gap, usable, size in itertools.product(gaps, ("array", "header"), ("own", "longer", "shorter")):
        last_usable = LAST - 34 if usable == "header" else LAST - gap - 1
        kept = {slot: entry for slot, entry in entries.items() if entry.last_lba < LAST - gap}
        disk = Disk(last_lba=LAST, entries=kept, backup_array_lba=LAST - gap, last_usable_lba=last_usable)
        path = folder / f"gap-{gap}-{usable}-{size}.raw"
        disk.write(path)
        image = bytearray(path.read_bytes())
        for start, end in ((34, 2048), (9001 if len(kept) < 2 else 10112, LAST - gap), (LAST - gap + 32, LAST)):
            image[start * S : end * S] = os.urandom(max(end - start, 0) * S)
        if size == "longer":
            image += os.urandom(3 * MIB + 5 * S)
        elif size == "shorter":
            del image[(LAST - gap - 3) * S :]
        path.write_bytes(image)
        yield path


def run(*command, **how):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, **how)


def check(image, size, is_new):
    name = f"{image.stem} to {size} bytes, {'new' if is_new else 'used'}"
    own = image.parent / name.replace(" ", "-").replace(",", "")
    own.mkdir()
    target = own / "target"
    if not is_new:
        fill(target, size)
    packed = image.with_suffix(".zst")
    done = run(GPTGROW, "restore", packed, target, "--yes", "--free-space", "zero", *(("--size", size) if is_new else ()))
    try:
        regions = expected(image, size)
    except Refused as why:
        assert done.returncode == 2, f"{name}: not refused: {why}: {done}"
        return 0
    assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"
    wanted = wanted_bytes(image, regions, size)
    check_same(name, target.read_bytes(), wanted)
    for source in (packed, image):
        done = run(GPTGROW, "verify", source, target)
        assert done.returncode == 0, f"{name}: verify {source.suffix}: {done.stdout}{done.stderr}"
    # In the last data before the table, where chunks are cut by it.
    data = [region.end for region in regions if region.kind == "image" and region.end - region.start > S and region.end > 34 * S]
    if data:
        with open(target, "r+b") as file:
            file.seek(data[-1] - 1)
            file.write(bytes([wanted[data[-1] - 1] ^ 1]))
        done = run(GPTGROW, "verify", packed, target)
        assert done.returncode == 1, f"{name}: a flipped bit is not seen: {done.stdout}{done.stderr}"
    target.unlink()
    return 1


def lies_on_itself(folder, image):
    """By whatever way it comes to standard input."""
    packed = image.with_suffix(".zst").read_bytes()
    target = folder / "target"
    for content in (packed.ljust(20 * MIB, b"\0"), image.read_bytes()):
        target.write_bytes(content)
        for command in (("restore", "-", target, "--yes"), ("verify", "-", target)):
            with open(target, "rb") as stdin:
                done = run(GPTGROW, *command, stdin=stdin)
            assert done.returncode == 2 and "is the image itself" in done.stderr, done
            assert target.read_bytes() == content, f"written: {done}"
    if os.getuid() != 0:
        return
    loop = run(TESTS / "attach_loop.sh", target)
    if loop.returncode != 0:
        return
    device = loop.stdout.strip()
    try:
        for source, destination in ((device, target), (target, device), (device, device)):
            with open(source, "rb") as stdin:
                done = run(GPTGROW, "restore", "-", destination, "--yes", stdin=stdin)
            assert done.returncode == 2 and target.read_bytes() == content, done
    finally:
        subprocess.run(["losetup", "-d", device], check=True)


def sizes(folder, image):
    """+SIZE is of the file, also when it is read once for its checksum."""
    wanted = image.stat().st_size + MIB
    digest = run("sha256sum", image).stdout.split()[0]
    for more in ((), ("--sha256", digest)):
        target = folder / "sized"
        done = run(GPTGROW, "restore", image, target, "--size", "+1M", "--yes", *more)
        assert done.returncode == 0 and target.stat().st_size == wanted, done
        target.unlink()


def ends_in_its_array(folder):
    """No more is read of the last sector of the array than there is."""
    for count in (1, 5, 6, 7):
        disk = Disk(entry_count=count, entries={})
        whole = folder / "whole.raw"
        disk.write(whole)
        cut = folder / "cut.raw"
        cut.write_bytes(whole.read_bytes()[: 1024 + count * 128])
        done = run(GPTGROW, "restore", cut, folder / "as-file", "--size", "4M", "--yes", "--free-space", "zero")
        with open(cut, "rb") as stdin:
            again = run(GPTGROW, "restore", "-", folder / "as-pipe", "--size", "4M", "--yes", "--free-space", "zero", stdin=stdin)
        assert done.returncode == again.returncode, (count, done, again)
        if done.returncode == 0:
            assert (folder / "as-file").read_bytes() == (folder / "as-pipe").read_bytes()
        for name in ("as-file", "as-pipe"):
            (folder / name).unlink(missing_ok=True)


def main():
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        paths = list(images(folder))
        waiting = []
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for number, image in enumerate(paths):
                subprocess.run(["zstd", "-q", "-1", image, "-o", image.with_suffix(".zst")], check=True)
                own = image.stat().st_size
                try:
                    least = smallest_size(image) or own
                except Refused:
                    least = own
                sizes_tried = sorted({own, (LAST + 1) * S, (least + own) // 2 // S * S, own + 300 * S, own + 2 * MIB})
                for at, size in list(enumerate(sizes_tried))[number % 3 :: 2]:
                    waiting.append(pool.submit(check, image, size, (number + at) % 2 == 0))
        failed = [str(each.exception()) for each in waiting if each.exception()]
        for each in failed:
            print("FAILED", each[:600], file=sys.stderr)
        restored = sum(each.result() for each in waiting if not each.exception())
        print(f"{restored} restores of {len(paths)} images, {len(waiting) - restored - len(failed)} refused")
        assert not failed, f"{len(failed)} of {len(waiting)} failed"
        assert restored > len(waiting) // 2
        lies_on_itself(folder, paths[0])
        sizes(folder, next(path for path in paths if "longer" in path.stem))
        ends_in_its_array(folder)


main()
