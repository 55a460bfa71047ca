#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What is wrong with a command line is said, with exit status 2, before anything is read or written: an empty word is no
other command, a flag takes no value, a list leaves the next word alone."""

import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

import jsonschema

TESTS = Path(__file__).resolve().parents[1]
GPTGROW = Path(os.environ.get("GPTGROW_BUILD", TESTS.parent / "build/dev")) / "cli/gptgrow"
COMMANDS = {  # with all that each needs
    "inspect": ["disk.raw"],
    "plan": ["image.raw", "--size", "4M"],
    "compare": ["image.raw", "disk.raw"],
    "repair": ["disk.raw", "--relocate"],
    "extend": ["disk.raw", "last"],
    "restore": ["image.raw", "disk.raw"],
    "verify": ["image.raw", "disk.raw"],
}

# Command line, exit status, what is said
CASES = [
    ("", 2, r"expected a command: inspect, plan, compare, repair, extend, restore, .*see gptgrow --help"),
    ("bogus", 2, r'no such command "bogus"; expected inspect, plan, '),
    ("inpsect disk.raw", 2, r'no such command "inpsect".*did you mean inspect\?'),
    ("--json inspect disk.raw", 2, r""),
    ("inspect disk.raw --bogus", 2, r"--bogus.*see gptgrow inspect --help"),
    ("inspect", 2, r"DISK is required"),
    ("inspect disk.raw image.raw", 2, r"image.raw"),
    ("inspect nowhere.raw", 2, r"nowhere.raw: No such file"),
    # The words that were another command
    ("repair disk.raw --from '' --apply", 2, r"--from: empty, expected a value"),
    ("repair disk.raw --from= --apply", 2, r"--from: empty, expected a value"),
    ("repair disk.raw --undo '' --apply", 2, r"--undo: empty, expected a value"),
    ("repair disk.raw --move '' --apply", 2, r"--move: empty, expected a value"),
    ("repair disk.raw --relocate=false --apply", 2, r"--relocate=false: --relocate takes no value"),
    ("repair disk.raw --relocate --apply=false", 2, r"--apply=false: --apply takes no value"),
    ("repair disk.raw --relocate --apply=true", 2, r"--apply=true: --apply takes no value"),
    ("repair '' --relocate --apply", 2, r"empty, expected a value"),
    ("repair disk.raw --relocate --save-undo '' --apply", 2, r"--save-undo: empty"),
    ("repair disk.raw --relocate --apply --undo x", 2, r"see gptgrow repair --help"),
    ("repair disk.raw --undo x --save-undo y --apply", 2, r"--save-undo"),
    ("repair disk.raw --undo x --json --apply", 2, r"--json: not with --undo"),
    ("restore image.raw disk.raw --map '' --yes", 2, r"--map: empty, expected a value"),
    ("restore image.raw disk.raw --yes=false", 2, r"--yes=false: --yes takes no value"),
    ("restore image.raw '' --yes", 2, r"empty, expected a value"),
    ("restore '' disk.raw --yes", 2, r"empty, expected a value"),
    ("restore --yes -- image.raw ''", 2, r"empty, expected a value"),
    ("restore image.raw disk.raw --map --yes", 2, r"--map: expected a value, found --yes; a file of that name is ./--yes"),
    ("restore image.raw disk.raw --map --no-verify --yes", 2, r"--map: expected a value, found --no-verify"),
    ("repair disk.raw --from --apply", 2, r"--from: expected a value, found --apply"),
    ("repair disk.raw --from image.raw --save-undo --apply", 2, r"--save-undo: expected a value, found --apply"),
    ("verify image.raw disk.raw --table-only --free-space", 2, r"--free-space"),
    # Lists
    ("repair --move 1:3 disk.raw", 1, r"nothing is written"),
    ("repair --from image.raw --slot 1 disk.raw", 1, r"nothing is written"),
    ("repair --from image.raw --slot 1 --slot 2,4 disk.raw", 1, r"nothing is written"),
    ("repair disk.raw --from image.raw --slot 0,500", 2, r'--slot: "0", expected slot numbers from 1 on'),
    ("repair disk.raw --from image.raw --slot 500", 2, r"slot 500: expected 1 to 128"),
    ("repair disk.raw --from image.raw --slot 1,,2", 2, r'--slot: "", expected slot numbers'),
    ("repair disk.raw --from image.raw --slot ' 1'", 2, r'--slot: " 1", expected slot numbers'),
    ("repair disk.raw --from image.raw --slot -1", 2, r""),
    ("repair disk.raw --from image.raw --slot 4294967297", 2, r'--slot: "4294967297", expected'),
    ("repair disk.raw --relocate --slot 1", 2, r"--slot requires --from"),
    ("repair disk.raw --move 0:1", 2, r'--move: "0:1", expected FROM:TO'),
    ("repair disk.raw --move 1:2:3", 2, r'--move: "1:2:3", expected FROM:TO'),
    ("repair disk.raw --move 1:", 2, r'--move: "1:", expected FROM:TO'),
    ("repair disk.raw --move 1", 2, r'--move: "1", expected FROM:TO'),
    ("repair disk.raw --move 1:3,", 2, r'--move: "", expected FROM:TO'),
    ("repair disk.raw --move 1:999", 2, r"slot 999, expected 1 to 128"),
    # Slots
    ("extend disk.raw", 2, r"SLOT is required"),
    ("extend disk.raw 6", 1, r"nothing is written"),
    ("extend disk.raw 0 --apply", 2, r'extend: "0", expected the number of a slot, from 1 on, or last'),
    ("extend disk.raw 6,7 --apply", 2, r'extend: "6,7", expected the number of a slot'),
    ("extend disk.raw 4294967296 --apply", 2, r'extend: "4294967296", expected the number of a slot'),
    ("extend disk.raw 4294967295 --apply", 2, r"slot 4294967295, expected 1 to 128"),
    ("extend disk.raw last last --apply", 2, r"last"),
    ("extend - last --apply", 2, r"^gptgrow: -: standard input is not supported there"),
    ("extend backup.raw last", 1, r"^gptgrow: warning: backup.raw: the primary table is rebuilt from the backup at LBA 4095"),
    ("extend truncated.raw last --apply", 2, r"is too small: slot \d+ ends at LBA"),
    ("plan image.raw --size 4M --extend first", 2, r'extend: "first", expected the number of a slot'),
    ("plan image.raw --size 4M --extend 6 --extend 6", 2, r"--extend: given twice"),
    # Sizes
    ("plan image.raw", 2, r"see gptgrow plan --help"),
    ("plan image.raw --size 4M --reference disk.raw", 2, r"see gptgrow plan --help"),
    ("plan image.raw --size ''", 2, r"--size: empty, expected a value"),
    ("plan --size= image.raw", 2, r"--size: empty, expected a value"),
    ("plan image.raw --reference ''", 2, r"--reference: empty, expected a value"),
    ("plan image.raw --size -1", 2, r""),
    ("plan image.raw --size=-1", 2, r'size "-1": expected a number'),
    ("plan image.raw --size ' 4M'", 2, r'size " 4M": expected a number'),
    ("plan image.raw --size '4M '", 2, r'size "4M ": expected a number'),
    ("plan image.raw --size 99999999999999999999", 2, r"the largest possible"),
    ("plan image.raw --size 18446744073709551615", 2, r"the largest possible"),
    ("plan image.raw --size 0", 2, r"size 0 .*too small|too small"),
    # Twice
    ("plan image.raw --size 4M --size 5M", 2, r"--size: given twice"),
    ("plan image.raw --reference disk.raw --reference image.raw", 2, r"--reference: given twice"),
    ("repair disk.raw --from image.raw --from disk.raw", 2, r"--from: given twice"),
    ("repair disk.raw --undo a --undo b", 2, r"--undo: given twice"),
    ("restore image.raw disk.raw --map a --map b --yes", 2, r"--map: given twice"),
    ("inspect disk.raw --sector-size 4096 --sector-size 512", 0, r"^$"),  # of a choice, the last one counts
    # Standard input, some day
    ("inspect -", 2, r"-: standard input is not supported there; a file of that name is \./-"),
    ("restore image.raw - --yes", 2, r"^gptgrow: -: standard input is not supported there"),
    ("restore - - --yes", 2, r"^gptgrow: -: standard input is not supported there"),
    ("verify image.raw -", 2, r"^gptgrow: -: standard input is not supported there"),
    ("restore image.raw disk.raw --map - --yes", 2, r"--map: standard input is not supported there"),
    ("restore --yes - disk.raw", 2, r"standard input: no GPT: 0 bytes long"),
    ("restore --size 4M -- - disk.raw", 2, r"standard input: no GPT: 0 bytes long"),
    ("verify - disk.raw", 2, r"standard input: no GPT: 0 bytes long"),
    ("restore image.raw disk.raw --sha256 12ab", 2, r'sha256: "12ab", expected 64 hexadecimal digits'),
    ("inspect ./-", 0, r"^$"),
    ("plan image.raw --reference -", 2, r"--reference: standard input is not supported"),
    ("plan image.raw --reference=-", 2, r"--reference: standard input is not supported"),
    ("repair disk.raw --relocate --save-undo -", 2, r"--save-undo: standard input is not supported"),
    # The words of a hint are those of the command
    ("plan backup.raw --size 4M", 2, r"is valid; --table backup would serve from it$"),
    ("plan truncated.raw --size 4M", 2, r"data is missing; --truncated allow would serve zeros there$"),
    ("repair disk.raw --from disk.raw", 2, r"nothing to repair it from; repair --relocate repairs a disk from itself$"),
    ("plan image.raw --size 4M --table both", 2, r'table: "both", expected primary or backup$'),
    # A command to be pasted
    ("repair 'a b.raw' --relocate --save-undo undo --apply", 0, r"gptgrow repair 'a b.raw' --undo undo --apply"),
]


def run(words):
    return subprocess.run([GPTGROW, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120)


def state():
    """What a write would change, without reading what was not written."""
    return {entry.name: (entry.stat().st_size, entry.stat().st_mtime_ns, entry.stat().st_ctime_ns) for entry in os.scandir()}


def check(words, status, said):
    before = state()
    done = run(words)
    assert done.returncode == status, (words, done)
    assert re.search(said, done.stderr.strip()), (words, done.stderr)
    if status == 2:
        assert done.stderr.startswith("gptgrow: ") and not done.stdout, (words, done)
    if "--apply" not in words or status == 2:
        assert state() == before, f"something was written by {words}"


def options_of(command):
    """Whether each takes a value."""
    done = run([command, "--help"])
    assert done.returncode == 0 and not done.stderr, done
    lines = re.findall(r"^ +(?:-\w,)?(--[a-z-]+)(.{0,24})", done.stdout, re.M)
    assert len(lines) > 1, done.stdout
    return {name: bool(re.match(r" ?(?!Needs:|Excludes:)\S", rest)) for name, rest in lines if name != "--help"}


def every_option():
    """Of each command, each option: nothing, or only an equals sign, is no value."""
    count = 0
    for command, needed in COMMANDS.items():
        for option, takes_value in options_of(command).items():
            count += 1
            if takes_value:
                for words in ([f"{option}="], [option, ""]):
                    check([command, *needed, *words], 2, f"^gptgrow: {option}: empty, expected a value")
                    check([command, *words, *needed], 2, f"^gptgrow: {option}: empty, expected a value")
            else:
                for value in ("", "0", "1", "false", "true", "off"):
                    check([command, *needed, f"{option}={value}"], 2, f"^gptgrow: {option}={value}: {option} takes no value")
        for i in range(len(needed)):
            check([command, *needed[:i], "", *needed[i + 1:]], 2, "empty, expected a value")
    assert count > 30, count


def short_files():
    """Too short for a table: still JSON, that says so."""
    schema = json.loads((TESTS.parent / "cli/schema/inspect.json").read_text())
    for size in (0, 1, 511, 512, 1023):
        Path("short").write_bytes(b"\xff" * size)
        for options in ([], ["--sector-size", "512"], ["--sector-size", "4096"]):
            done = run(["inspect", "short", "--json", *options])
            assert done.returncode == 2, (size, done)
            report = json.loads(done.stdout)
            jsonschema.validate(report, schema)
            assert report["size_bytes"] == size and report["table"] is None, report
            assert report["primary"]["problems"][0]["found"] == f"{size} bytes", report
            done = run(["inspect", "short", *options])
            assert done.returncode == 2 and "expected at least" in done.stdout, done
    os.remove("short")


def main():
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        for name in ("unused-slots-junk-512", "truncated-data-512"):
            subprocess.run([TESTS / "images/catalogue.py", ".", name], check=True, stdout=subprocess.DEVNULL)
        os.rename("unused-slots-junk-512.raw", "image.raw")
        os.rename("truncated-data-512.raw", "truncated.raw")
        shutil.copy("image.raw", "backup.raw")
        with open("backup.raw", "r+b") as file:
            file.seek(512)
            file.write(bytes(512))
        for name in ("disk.raw", "a b.raw"):
            shutil.copy("image.raw", name)
            os.truncate(name, 4 << 20)
        shutil.copy("image.raw", "-")
        for line, status, said in CASES:
            check(shlex.split(line), status, said)
        every_option()
        short_files()
        for words in (["--help"], ["--version"], ["-h"], *([command, "--help"] for command in COMMANDS)):
            done = run(words)
            assert done.returncode == 0 and done.stdout and not done.stderr, (words, done)
    print(f"{len(CASES)} command lines")


main()
