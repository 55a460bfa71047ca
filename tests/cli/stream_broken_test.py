#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Streams that are cut off, damaged, too long, of another checksum, that stall or lose their writer: exit status 2, a
message that names the place, and no valid table on a disk that had one. A flipped bit that changes nothing is no damage. A
stream of zeros that is far larger than its file is restored, in bounded memory."""

import hashlib
import os
import random
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from restored import GPTGROW, S, check_same, fill, small_images, valid_guid, waits_for_input, wanted_bytes

from images import catalogue
from model.contract_model import expected, smallest_size

MIB = 1 << 20
IMAGE_SIZE, SIZE = 2 * MIB, 3 * MIB
PLACES = 20  # of each packer
MEMORY = 64 * MIB  # more than a window of 8 MiB
PACKERS = {
    "gzip": ["gzip", "-1"],
    "bzip2": ["bzip2", "-1"],
    "xz": ["xz", "-0"],
    "zstd": ["zstd", "-q", "-1"],
    "lz4": ["lz4", "-q", "-1", "-c"],
}


class Case:
    def __init__(self, folder):
        self.image, self.old, self.target, self.source = (folder / n for n in ("image.raw", "old.raw", "disk.raw", "packed"))
        for path, size in ((self.image, IMAGE_SIZE), (self.old, SIZE)):
            # Half of it can be packed, so that damage is found by the decompressor or by its checksum.
            path.write_bytes(b"".join(os.urandom(2048) + bytes(2048) for _ in range(size // 4096)))
            command = ["sgdisk", "--clear", "--set-alignment=1", "-n1:1024:2047", "-n5:2048:4000"]
            subprocess.run([*command, path], check=True, capture_output=True)
        self.begin()
        done = self.restore(self.image)
        assert done.returncode == 0, done.stderr
        self.wanted = self.target.read_bytes()

    def begin(self):
        self.target.write_bytes(self.old.read_bytes())

    def command(self, source, *options):
        return [GPTGROW, "restore", source, self.target, "--yes", "--free-space", "zero", *options]

    def restore(self, source, *options, **arguments):
        return subprocess.run(self.command(source, *options), capture_output=True, text=True, **arguments)

    def pack(self, packer):
        return subprocess.run(PACKERS[packer], input=self.image.read_bytes(), stdout=subprocess.PIPE, check=True).stdout

    def check_refused(self, what, done, *said):
        assert done.returncode == 2, (what, done)
        found = self.target.read_bytes()
        # What is refused from its head leaves the old disk as it was.
        if found != self.old.read_bytes():
            assert not valid_guid(found, 1) and not valid_guid(found, SIZE // S - 1), f"{what}: a valid table"
            assert "no partition table" in done.stderr, (what, done.stderr)
            # With a pipe, a map is refused; what only the end of an image tells, is told again.
            again = "the same command would be refused again, with the same image" in done.stderr
            is_pipe = "-" in done.args
            assert ("with --map FILE" in done.stderr) == (not is_pipe and not again), (what, done.stderr)
            assert ("when it is given the image from its first byte on" in done.stderr) == (is_pipe and not again), (what, done.stderr)
        for text in said:
            assert text in done.stderr, (what, text, done.stderr)

    def try_bytes(self, what, data, by_pipe):
        self.begin()
        self.source.write_bytes(data)
        if by_pipe:
            with open(self.source, "rb") as file:
                cat = subprocess.Popen(["cat"], stdin=file, stdout=subprocess.PIPE)
                done = self.restore("-", stdin=cat.stdout)
                cat.stdout.close()
                cat.wait()
        else:
            done = self.restore(self.source, stdin=subprocess.DEVNULL)
        if done.returncode == 0:
            assert self.target.read_bytes() == self.wanted, f"{what}: taken, and other bytes"
            return False
        self.check_refused(what, done, "GPT" if "GPT" in done.stderr else "byte")
        return True


def cuts(case, rng):
    for packer in PACKERS:
        data = case.pack(packer)
        places = [0, 1, 10, len(data) - 1, len(data) - 9] + [rng.randrange(len(data)) for _ in range(PLACES - 5)]
        for number, place in enumerate(places):
            refused = case.try_bytes(f"{packer} cut at {place} of {len(data)}", data[:place], number % 2)
            assert refused, f"{packer} cut at {place} of {len(data)}: taken for whole"
    print(f"counted: streams cut off | {PLACES * len(PACKERS)} | 0")
    print(f"cut off at {PLACES * len(PACKERS)} places")


def flips(case, rng):
    refused = 0
    for packer in PACKERS:
        data = case.pack(packer)
        for number in range(PLACES):
            place = rng.randrange(len(data))
            flipped = bytearray(data)
            flipped[place] ^= 1 << rng.randrange(8)
            refused += case.try_bytes(f"{packer} with byte {place} of {len(data)} flipped", bytes(flipped), number % 2)
    print(f"counted: streams with a flipped bit | {PLACES * len(PACKERS)} | 0")
    print(f"bits flipped at {PLACES * len(PACKERS)} places: {refused} refused, the others harmless")
    assert refused > PLACES * len(PACKERS) * 8 // 10


def behind_the_end(case):
    for packer in PACKERS:
        for rest in (b"garbage", os.urandom(300_000)):
            case.begin()
            case.source.write_bytes(case.pack(packer) + rest)
            case.check_refused(packer, case.restore(case.source, stdin=subprocess.DEVNULL), "byte")
    case.begin()
    case.source.write_bytes(case.pack("gzip") + bytes(10_000))
    done = case.restore(case.source, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"gzip padded with zeros, as gzip takes it: {done.stderr}"
    # A raw disk that ends before its last partition does
    case.begin()
    case.source.write_bytes(case.image.read_bytes()[: 3500 * S])
    with open(case.source, "rb") as file:
        case.check_refused("raw, cut off", case.restore("-", stdin=file), "slot 5", "data is missing")
    print("garbage behind the end, padding, a raw disk that is too short")


def too_small_by_its_end(case):
    """Only the backup header tells that its array is far from the end of the disk, behind a partition that would be in its way."""
    last, array = 2 * IMAGE_SIZE // S - 1, SIZE // S
    entry = catalogue.Entry(catalogue.LINUX_DATA, catalogue.guid("one"), 64, array - 1)
    disk = catalogue.Disk(last_lba=last, entries={1: entry}, backup_array_lba=array, last_usable_lba=last - 64, data=[])
    image = case.source.with_suffix(".far")
    disk.write(image)
    with open(image, "rb") as file:
        packed = subprocess.run(["gzip", "-1"], stdin=file, stdout=subprocess.PIPE, check=True).stdout
    case.source.write_bytes(packed)
    case.begin()
    os.truncate(case.target, SIZE + 64 * S)
    done = case.restore(case.source, stdin=subprocess.DEVNULL)
    assert done.returncode == 2, done
    for text in (f"the smallest possible size is {2 * IMAGE_SIZE}", "would be refused again, with the same image"):
        assert text in done.stderr, (text, done.stderr)
    print("an image that turns out to be too large")


def checksums(case):
    packed = case.pack("zstd")
    case.source.write_bytes(packed)
    for digest in (hashlib.sha256(packed).hexdigest(), hashlib.sha256(case.image.read_bytes()).hexdigest().upper()):
        case.begin()
        done = case.restore(case.source, "--sha256", digest, stdin=subprocess.DEVNULL)
        assert done.returncode == 0 and case.target.read_bytes() == case.wanted, done.stderr
    for source in (case.source, case.image):
        case.begin()
        done = case.restore(source, "--sha256", "0" * 64, stdin=subprocess.DEVNULL)
        case.check_refused("another checksum", done, "SHA-256", "expected " + "0" * 64)
    case.begin()
    done = case.restore(case.source, "--sha256", "12ab", stdin=subprocess.DEVNULL)
    assert done.returncode == 2 and case.target.read_bytes() == case.old.read_bytes(), done
    print("checksums of the file and of the disk in it, and wrong ones")


def stalls(case):
    """Nothing comes for a while: it goes on. INT in the meantime ends it at once. The writer is killed: cut off."""
    data = case.image.read_bytes()
    for ending in ("goes on", "INT", "killed"):
        case.begin()
        process = subprocess.Popen(case.command("-"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdin.write(data[: IMAGE_SIZE // 2])
        process.stdin.flush()
        # Until all of that is read, and it waits.
        while not waits_for_input(process.pid):
            time.sleep(0.02)
        if ending == "goes on":
            time.sleep(2)
            process.stdin.write(data[IMAGE_SIZE // 2 :])
        began = time.monotonic()
        if ending == "INT":
            process.send_signal(signal.SIGINT)
            process.wait(10)
            assert time.monotonic() - began < 1, "INT was not heard"
        process.stdin.close()
        process.stdin = None
        out, err = process.communicate()
        done = subprocess.CompletedProcess(process.args, process.returncode, out.decode(), err.decode())
        if ending == "goes on":
            assert done.returncode == 0 and case.target.read_bytes() == case.wanted, done
        else:
            case.check_refused(ending, done, "stopped" if ending == "INT" else "data is missing")
    print("a pipe that stalls: goes on, INT, its writer gone")


def no_pipe(case):
    """Standard input that cannot be read; one that does not wait; one that is a device."""
    for name, open_it, said in (("a folder", lambda: os.open("/", os.O_RDONLY), "standard input: read at byte 0: Is a directory"),
                                ("write only", lambda: os.open("/dev/null", os.O_WRONLY), "standard input: read at byte 0: Bad file")):
        fd = open_it()
        case.begin()
        done = subprocess.run(case.command("-"), stdin=fd, capture_output=True, text=True)
        os.close(fd)
        assert done.returncode == 2 and said in done.stderr, (name, done)
    case.begin()
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    process = subprocess.Popen(case.command("-"), stdin=reader, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    os.close(reader)
    data = case.image.read_bytes()
    with open(writer, "wb") as file:
        for at in range(0, len(data), 3 * MIB // 2):
            file.write(data[at : at + 3 * MIB // 2])
            file.flush()
    err = process.communicate()[1]
    assert process.returncode == 0 and case.target.read_bytes() == case.wanted, err
    print("standard input that cannot be read, and that does not wait")


def resumed_over_a_table(folder):
    """The arrays are in the middle of data, which an earlier run wrote over data: it is killed at each flush."""
    image = next(path for path in small_images(folder) if path.stem == "array-both-elsewhere-512")
    packed, target, log = folder / "elsewhere.zst", folder / "elsewhere.raw", folder / "map"
    subprocess.run(["zstd", "-q", "-1", image, "-o", packed], check=True)
    size = smallest_size(image)  # so that the new array, too, comes over data of the image
    wanted = wanted_bytes(image, expected(image, size), size)
    command = [GPTGROW, "restore", packed, target, "--map", log, "--yes", "--free-space", "zero"]
    flush, done = 0, None
    while done is None or done.returncode != 0:
        flush += 1
        fill(target, size)
        log.unlink(missing_ok=True)
        strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync", "-e", f"inject=fsync:signal=KILL:when={flush}"]
        done = subprocess.run([*strace, *command], stdin=subprocess.DEVNULL, capture_output=True)
        again = done if done.returncode == 0 else subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
        assert again.returncode == 0, f"killed at flush {flush}: {again.stderr.decode()}"
        check_same(f"killed at flush {flush}", target.read_bytes(), wanted)
    print(f"arrays in the middle: killed at each of {flush - 1} flushes, and completed")
    assert flush > 10


def zeros(folder, gib=16):
    """Of many frames of a gigabyte of zeros each."""
    source, target = folder / "zeros.zst", folder / "zeros.raw"
    disk = catalogue.Disk()
    head = folder / "head.raw"
    disk.write(head)
    frame = subprocess.run("head -c 1G /dev/zero | zstd -q -1", shell=True, stdout=subprocess.PIPE, check=True).stdout
    first = subprocess.run(["zstd", "-q", "-1"], input=head.read_bytes(), stdout=subprocess.PIPE, check=True).stdout
    source.write_bytes(first + frame * gib)
    process = subprocess.Popen([GPTGROW, "restore", source, target, "--size", f"{gib + 1}G", "--yes", "--no-verify"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    error = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, error.decode()
    used = os.stat(target).st_blocks * 512
    print(f"{gib} GiB of zeros from {source.stat().st_size} bytes: {used} bytes used, {usage.ru_maxrss // 1024} MiB of memory")
    assert used < 8 * MIB and usage.ru_maxrss * 1024 < MEMORY


def main():
    rng = random.Random(1)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        case = Case(folder)
        cuts(case, rng)
        flips(case, rng)
        behind_the_end(case)
        too_small_by_its_end(case)
        checksums(case)
        stalls(case)
        no_pipe(case)
        resumed_over_a_table(folder)
        zeros(folder)


main()
