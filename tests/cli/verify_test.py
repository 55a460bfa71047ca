#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""One flipped bit anywhere on a restored disk is found by verify, and named: in every structure, in each partition's
data, in a hole, between partitions, in the free space. What an operating system did to the table is said in the words of
compare."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from cli.validate import validator  # noqa: E402
from images import catalogue  # noqa: E402

GPTGROW = Path(os.environ.get("GPTGROW_BUILD", TESTS.parent / "build/dev")) / "cli/gptgrow"
SCHEMA = validator(TESTS.parent / "cli/schema/verify.json")
S = 512


def verify(image, target, *options):
    done = subprocess.run([GPTGROW, "verify", image, target, *options], capture_output=True, text=True)
    assert not done.stderr or "warning" in done.stderr or "verifying" in done.stderr, done.stderr
    return done.returncode, done.stdout


def verify_json(image, target, *options):
    code, text = verify(image, target, "--json", *options)
    report = json.loads(text)
    SCHEMA.validate(report)
    return code, report


def main():
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        image, target = folder / "image.raw", folder / "target.raw"
        size = 8 << 20
        # A disk of 4 MiB with a hole in the data of slot 2, and bytes between partitions and behind the array.
        catalogue.CATALOGUE["unused-slots-junk-512"].make(image)
        entries = {e["slot"]: e for e in json.loads(subprocess.run(
            [GPTGROW, "inspect", image, "--json"], capture_output=True, text=True, check=True).stdout)["partitions"]}
        hole_slot, hole = max(((slot, e["first_lba"] * S + 65536) for slot, e in entries.items()
                               if (e["last_lba"] - e["first_lba"]) * S > 256 << 10), key=lambda pair: pair[0])
        hole = (hole + 4095) // 4096 * 4096
        subprocess.run(["fallocate", "--punch-hole", "-o", str(hole), "-l", "65536", image], check=True)
        subprocess.run([GPTGROW, "restore", image, target, "--size", str(size), "--yes"], check=True,
                       capture_output=True)
        assert verify(image, target)[0] == 0
        good = target.read_bytes()

        image_size = image.stat().st_size
        regions = {"MBR": (0, 512, "MBR"), "primary header": (512, 1024, "primary header"),
                   "primary array": (1024, 34 * S, "primary array"),
                   "backup array": (size - 33 * S, size - S, "backup array"),
                   "backup header": (size - S, size, "backup header"),
                   "hole": (hole, hole + 65536, "hole"),
                   "free space": (image_size, size - 33 * S, "free space"),
                   "in no partition": (34 * S, min(e["first_lba"] for e in entries.values()) * S, "in no partition")}
        for slot, e in entries.items():
            regions[f"slot {slot}"] = (e["first_lba"] * S, (e["last_lba"] + 1) * S, f"slot {slot}")
        flips = 0
        for name, (first, end, word) in regions.items():
            assert end > first, name
            for at in {first, end - 1, (first + end) // 2, (2 * first + end) // 3}:
                bit = 1 << at % 8
                changed = bytearray(good)
                changed[at] ^= bit
                target.write_bytes(changed)
                code, text = verify(image, target, "--free-space")
                assert code == 1 and word in text, f"bit at byte {at} ({name}): status {code}\n{text}"
                code, report = verify_json(image, target, "--free-space")
                assert code == 1 and not report["same"]
                difference = report["data"]["first_difference"]
                if difference:
                    assert difference["offset_bytes"] == at and report["table"]["same"], report
                    assert int(difference["found_hex"], 16) ^ int(difference["expected_hex"], 16) == bit, report
                    if name.startswith("slot") or name == "hole":
                        assert difference["slot"] == (hole_slot if name == "hole" else int(name[5:])), report
                    assert difference["region"] == ("hole" if hole <= at < hole + 65536 else
                                                    "free space" if name == "free space" else "data"), report
                else:
                    changes = report["table"]["changes"]
                    assert any(c["structure"] == word and c["offset_bytes"] <= at < c["offset_bytes"] + c["length_bytes"]
                               for c in changes), report
                in_table = difference is None
                status, out = verify(image, target, "--table-only")
                assert status == (1 if in_table else 0), name
                assert in_table == (f"gptgrow repair {target} --from {image} shows how" in out), out
                report = verify_json(image, target, "--table-only")[1]
                assert report["same"] is (False if in_table else None), name
                assert verify(image, target)[0] == (0 if name == "free space" else 1), name
                flips += 1

        # The first of two differences is the one that is told.
        changed = bytearray(good)
        for at in (3 << 20, 1 << 20, (1 << 20) + 700000):
            changed[at] ^= 0xFF
        target.write_bytes(changed)
        assert verify_json(image, target)[1]["data"]["first_difference"]["offset_bytes"] == 1 << 20

        # An operating system was here.
        target.write_bytes(good)
        subprocess.run([TESTS / "cli/rewrite_densely.py", target], check=True)
        code, text = verify(image, target)
        assert code == 1 and "gap closed" in text and "data: same" in text, text
        target.write_bytes(bytes(size))
        code, text = verify(image, target)
        assert code == 1 and "table: differs" in text, text
        os.truncate(target, size + S)
        target.write_bytes(good + bytes(S))
        assert verify(image, target)[0] == 1  # the backup is not in the last sector
        done = subprocess.run([GPTGROW, "verify", image, image], capture_output=True, text=True)
        assert done.returncode == 2 and "is the image itself" in done.stderr
        print(f"{flips} flipped bits, each found and named")


main()
