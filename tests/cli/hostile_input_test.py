#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""inspect, compare and extend on every image of the catalogue and every file of the fuzzer's corpus: an exit status that is
promised, valid JSON where there is a table, nothing on the terminal that the disk put there."""

import json
import os
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from images import catalogue, gpt  # noqa: E402

GPTGROW = Path(os.environ.get("GPTGROW_BUILD", TESTS.parent / "build/dev")) / "cli/gptgrow"


def run(*arguments):
    done = subprocess.run([GPTGROW, *arguments], capture_output=True, timeout=60)
    output = done.stdout + done.stderr
    assert done.returncode in (0, 1, 2), (arguments, done.returncode, output)
    text = output.decode()  # UTF-8, or this throws
    strange = [c for c in text if (ord(c) < 32 and c != "\n") or 0x7F <= ord(c) < 0xA0 or 0x202A <= ord(c) <= 0x202E]
    assert not strange, (arguments, strange)
    return done.returncode, done.stdout.decode()


def look_at(path, is_packed=False):
    status, text = run("inspect", path)
    assert status != 1 and (status == 2 or text)
    json_status, text = run("inspect", path, "--json")
    assert json_status == status
    if status == 0:
        json.loads(text)
    status, _ = run("compare", path, path)
    # Of a compressed file, inspect reads the beginning, and nothing else reads it so.
    assert status == (0 if json_status == 0 and not is_packed else 2), (path, status)
    status, _ = run("extend", path, "last")
    assert status == 2 or json_status == 0, path
    return json_status


def disk_with_name(path, units):
    disk = catalogue.Disk()
    disk.write(path)
    array = bytearray(disk.array())
    array[56:128] = struct.pack(f"<{len(units)}H", *units).ljust(72, b"\0")
    crc = zlib.crc32(array)
    for header_lba, array_lba in ((1, disk.primary_array_lba), (disk.last_lba, disk.backup_array_lba)):
        header = catalogue.read_at(path, header_lba * 512, 512)
        catalogue.write_at(path, header_lba * 512, gpt.sealed(header, partition_entry_array_crc32=crc))
        catalogue.write_at(path, array_lba * 512, bytes(array))


def names(path):
    cases = {
        "escape": ([0x1B, *b"[2J", 7, 0x9B, 0x41], r"\x1b[2J\x07\u009bA"),
        "lone high surrogate": ([0x41, 0xD800, 0x42], r"A\ud800B"),
        "lone low surrogate": ([0xDC00], r"\udc00"),
        "high surrogate at the end": ([0x41] * 35 + [0xDBFF], "A" * 35 + r"\udbff"),
        "direction": ([0x202E, 0x61, 0x2066], r"\u202ea\u2066"),
        "backslash": ([0x5C, 0x78], r"\\x"),
        "pair": ([0xD83D, 0xDE00], "\U0001f600"),
    }
    for name, (units, shown) in cases.items():
        disk_with_name(path, units)
        status, text = run("inspect", path)
        assert status == 0 and f'"{shown}"' in text, (name, text)
        status, text = run("inspect", path, "--json")
        valid = "".join(chr(u) for u in units).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        assert json.loads(text)["partitions"][0]["name"] == valid, name
        other = path.with_suffix(".other")
        disk_with_name(other, [0x78])
        status, text = run("compare", path, other)
        assert status == 1 and shown in text, (name, text)


def main():
    counts = {0: 0, 2: 0}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "disk.raw"
        names(path)
        for name, image in catalogue.CATALOGUE.items():
            if "esxi" in name:
                continue  # large; each is looked at by a test of its own
            path.unlink(missing_ok=True)
            try:
                image.make(path)
            except catalogue.Skipped:
                continue
            counts[look_at(path)] += 1
        corpus = Path(folder) / "corpus"
        subprocess.run([TESTS / "fuzz/make_corpus.py", corpus], check=True)
        for kind, before in (("plan", 9), ("stream", 4)):  # bytes that are not the image
            for file in (corpus / kind).iterdir():
                path.write_bytes(file.read_bytes()[before:])
                counts[look_at(path, kind == "stream" and not file.name.endswith("-raw"))] += 1
    print(f"counted: hostile disks given to every command | {counts[0] + counts[2]} | 0")
    print(f"{counts[0]} disks with a table, {counts[2]} without")
    assert counts[0] > 100 and counts[2] > 20


main()
