#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Which tool compare names, on disks that real tools have rewritten.

    tool_matrix.py [--disks N] [--seed SEED] [--all] [--update] [--verbose]

Two sets: random disks, of which each tool rewrites its share, and images of the catalogue, each rewritten by each tool
(--all: all images that are not large). The tool must be named, alone or among others, on 95 of 100 random disks; a list
without it is wrong, and is allowed nowhere. A disk on which a tool refuses to work, or writes nothing, or which is then
as it should be, does not count. What is found of the catalogue must be what golden/tool-matrix.txt says (--update writes
it), but for tools that are not installed and sectors of 4096 bytes where no loop device has them.
"""

import argparse
import difflib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from cli.restored import scratch_parent  # noqa: E402
from images import catalogue, gpt  # noqa: E402
from images.gpt import Entry, MbrRecord  # noqa: E402

BUILD = Path(os.environ.get("GPTGROW_BUILD", TESTS.parent / "build/dev"))
GPTGROW = os.environ.get("GPTGROW_COMMAND", BUILD / "cli/gptgrow")
os.environ["PATH"] += ":/usr/sbin:/sbin"
os.environ["LC_ALL"] = "C.UTF-8"
S = 512
MIB = 1 << 20
RIGHT_OF_100 = 95
SFDISK = ("sfdisk", "--no-reread", "--no-tell-kernel")
SUBSET = ("sgdisk-512", "sfdisk-512", "parted-512", "parted-pmbr-boot-512", "sgdisk-hybrid-512",
          "sgdisk-56-entries-512", "sgdisk-array-moved-512", "sfdisk-48-entries-512", "mbr-active-chs-512",
          "mbr-size-max-512", "hybrid-gap-after-512", "unused-slots-junk-512", "esxi5-512", "esxi7-512",
          "sgdisk-4096", "sfdisk-4096", "parted-4096", "entries-48-4096", "hybrid-whole-second-4096",
          "unused-slots-junk-4096", "esxi7-4096")
NEED_KERNEL = ("fdisk w", "growpart")  # on a device they fail where the kernel does not read its partitions
GOLDEN = Path(__file__).resolve().parent / "golden/tool-matrix.txt"
LEGEND = """What compare names on an image of the catalogue after a tool has rewritten it on a disk that is 64 MiB larger. Made by
tests/cli/tool_matrix.py --update.

alone    the tool, and no other       refused  the tool failed
of N     the tool, among N            nothing  the tool wrote nothing
none     no tool                      same     the disk is as it should be
WRONG    tools, not the right one     -        not tried

"""


# --- The tools -------------------------------------------------------------------------------------------------------


PRELOAD = {}  # for the tools alone


def run(*command, stdin=""):
    return subprocess.run([str(c) for c in command], input=stdin, text=True, capture_output=True, timeout=60,
                          env=os.environ | PRELOAD)


def partitions(disk):
    """Triples of first LBA, last LBA, slot, the last on the disk last. sfdisk lists unused slots too that hold junk."""
    dump = run("sfdisk", "--dump", disk).stdout
    found = re.findall(r"(?m)(\d+) : start= *(\d+), size= *(\d+), type=(?!00000000-0000)", dump)
    return sorted((int(start), int(start) + int(size) - 1, slot) for slot, start, size in found)


def last_slot(disk):
    return (partitions(disk) or [(0, 0, "1")])[-1][2]


def load_dump(disk, keep_last_lba=False, edit=lambda text: text):
    done = run("sfdisk", "--dump", disk)
    if done.returncode:
        return done
    lines = [line for line in done.stdout.splitlines() if keep_last_lba or not line.startswith("last-lba")]
    return run(*SFDISK, disk, stdin=edit("\n".join(lines) + "\n"))


def rename_last(dump):
    lines = dump.splitlines()
    lines[-1] = re.sub(", name=.*", "", lines[-1]) + ', name="renamed"'
    return "\n".join(lines) + "\n"


# What is done to a disk, and what the name of the tool that compare says must have in it.
TOOLS = {
    "copy": ("raw copy", lambda disk: run("true")),
    "sgdisk -e": ("sgdisk -e", lambda disk: run("sgdisk", "-e", disk)),
    "sgdisk -e -s": ("sgdisk --sort", lambda disk: run("sgdisk", "-e", "-s", disk)),
    "sgdisk -e -c": ("sgdisk or gdisk", lambda disk: run("sgdisk", "-e", "-c", f"{last_slot(disk)}:renamed", disk)),
    "sgdisk -e -d": ("sgdisk or gdisk", lambda disk: run("sgdisk", "-e", "-d", last_slot(disk), disk)),
    "gdisk w": ("gdisk", lambda disk: run("gdisk", disk, stdin="x\ne\nw\ny\ny\n")),
    "fdisk w": ("fdisk", lambda disk: run("fdisk", disk, stdin="w\n")),
    "sfdisk --relocate": ("sfdisk --relocate", lambda disk: run(*SFDISK, "--relocate", "gpt-bak-std", disk)),
    "sfdisk --part-label": ("sfdisk, fdisk or systemd-repart",
                            lambda disk: run(*SFDISK, "--part-label", disk, last_slot(disk), "renamed")),
    "sfdisk -N": ("sfdisk, fdisk or systemd-repart",
                  lambda disk: run(*SFDISK, "-N", last_slot(disk), disk, stdin=", +\n")),
    "dump, load": ("a dump loaded again", load_dump),
    "dump, load with last-lba": ("a dump loaded again", lambda disk: load_dump(disk, keep_last_lba=True)),
    "dump, edit, load": ("an edited dump loaded", lambda disk: load_dump(disk, edit=rename_last)),
    "growpart": ("growpart", lambda disk: run("growpart", disk, last_slot(disk))),
    "parted --fix": ("parted --fix", lambda disk: run("parted", "--script", "--fix", disk, "print")),
    "parted name": ("parted, partitions edited",
                    lambda disk: run("parted", "--script", "--fix", disk, "name", last_slot(disk), "renamed")),
    "parted resizepart": ("parted, partitions edited",
                          lambda disk: run("parted", "--script", "--fix", disk, "resizepart", last_slot(disk), "100%")),
}
PROGRAMS = {tool: {"copy": "true", "gdisk w": "gdisk", "dump, load": "sfdisk"}.get(tool, tool.split()[0].rstrip(","))
            for tool in TOOLS}
PROGRAMS.update({tool: "sfdisk" for tool in TOOLS if tool.startswith("dump")})


def has(tool):
    return shutil.which(PROGRAMS[tool]) is not None


# --- The disks -------------------------------------------------------------------------------------------------------


def random_entries(dice, count, first, last):
    """Partitions in some slots, with and without gaps, in some order."""
    number = min(dice.randint(1, 8), count)
    cuts = sorted(dice.sample(range(first, last + 2), 2 * number))
    extents = [(cuts[2 * i], cuts[2 * i + 1] - 1) for i in range(number)]
    if dice.random() < 0.5:
        dice.shuffle(extents)
    slots = range(1, number + 1) if dice.random() < 0.4 else sorted(dice.sample(range(1, min(count, 16) + 1), number))
    types = (catalogue.EFI_SYSTEM, catalogue.BASIC_DATA, catalogue.LINUX_DATA, catalogue.VMFS, catalogue.VMKCORE)
    attributes = (0, 0, 0, 1, 4, 1 << 63, 0xC000000000000000)
    names = ("", "", "EFI system", "Basic data partition", "root", "Ünïcode", "a=b, c")
    return {slot: Entry(dice.choice(types), uuid.UUID(int=dice.getrandbits(128)), *extent, dice.choice(attributes),
                        dice.choice(names)) for slot, extent in zip(slots, extents)}


def random_records(dice, last):
    ends = (b"\xff\xff\xff", b"\xff\xff\xff", b"\xfe\xff\xff", b"\x21\x20\x08")
    whole = catalogue.protective(dice.choice((last, last, last, catalogue.MAX_U32)),
                                 boot_indicator=dice.choice((0, 0, 0, 0x80)), ending_chs=dice.choice(ends))
    if dice.random() < 0.85:
        return [whole]
    other = MbrRecord(dice.choice((0x0C, 0x83)), 200, 100, dice.choice((0, 0x80)), b"\x01\x01\x00", b"\x08\x09\x00")
    return dice.choice(([catalogue.protective(199), other], [other, catalogue.protective(199)]))


def random_image(dice, path):
    """By one of the tools, or with knobs set as only firmware and hypervisors set them."""
    last = dice.randrange(2 * MIB // S, 12 * MIB // S) - 1
    count = dice.choice((128, 128, 128, 128, 56, 48, 256))
    array_lba = dice.choice((2, 2, 2, 2, 16))
    array_sectors = gpt.ceil_div(count * 128, S)
    first = max(array_lba + array_sectors, dice.choice((0, 34, 64, 2048)))
    last_usable = last - array_sectors - 1 - dice.choice((0, 0, 0, 1, 30))
    disk = catalogue.Disk(
        last_lba=last, entry_count=count, primary_array_lba=array_lba, first_usable_lba=first,
        last_usable_lba=last_usable, entries=random_entries(dice, count, first, last_usable),
        junk_in_unused_slots=dice.random() < 0.08, data=(), records=random_records(dice, last),
        primary_tail=catalogue.pattern(0, 420, 0x5A) if dice.random() < 0.05 else b"",
        disk_signature=dice.choice((bytes(6), b"\x11\x22\x33\x44\x00\x00", b"\xde\xad\xbe\xef\x5a\x5a")))
    disk.write(path)
    if dice.random() < 0.3:
        catalogue.write_at(path, 0, bytes(440))
    # Most images have been through the hands of a tool.
    dice.choice((lambda: None, lambda: None, lambda: run("sgdisk", "-e", path),
                 lambda: run("parted", "-s", path, "print"), lambda: load_dump(path),
                 lambda: run(*SFDISK, "--part-label", path, last_slot(path), "x")))()


# --- The score -------------------------------------------------------------------------------------------------------


def table_bytes(disk):
    size = disk.stat().st_size
    return catalogue.read_at(disk, 0, 512 * S), catalogue.read_at(disk, size - 512 * S, 512 * S)


def on_device(disk, sector_size, use):
    """What `use` returns, of a file or of a loop device whose sectors are larger."""
    if sector_size == S:
        return use(disk)
    done = []
    catalogue.with_loop_device(disk, sector_size, lambda device: done.append(use(device)))
    return done[0]


def compare(image, disk):
    done = subprocess.run([GPTGROW, "compare", image, disk, "--json"], capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, 1), f"{image} {disk}: {done.returncode} {done.stderr}"
    return json.loads(done.stdout)


def without_waiting(folder):
    """sgdisk sleeps for a second and waits for all disks of the machine, for each table that it writes."""
    source, library = folder / "no_wait.c", folder / "no_wait.so"
    source.write_text("void sync(void) {} int fsync(int f) { return 0; } int fdatasync(int f) { return 0; }\n"
                      "unsigned sleep(unsigned s) { return 0; }\n")
    if shutil.which("cc") and subprocess.run(["cc", "-shared", "-fPIC", "-w", "-o", library, source]).returncode == 0:
        PRELOAD["LD_PRELOAD"] = str(library)


class Score:
    def __init__(self, verbose):
        self.verbose = verbose
        self.count = Counter()
        self.wrong = []

    def judge(self, name, tool, image, disk, sector_size=S):
        """A cell of the golden file; the counts grow only by disks that count."""
        expected, use = TOOLS[tool]
        before = table_bytes(disk)
        if on_device(disk, sector_size, use).returncode:
            return "refused"  # it may have mended the table before it refused to edit it
        if tool != "copy" and table_bytes(disk) == before:
            return "nothing"
        found = compare(image, disk)
        if found["same"]:
            return "same"
        named = found["tools"]
        verdict = ("none" if not named else "wrong" if not any(expected in each for each in named)
                   else "alone" if len(named) == 1 else "one of")
        self.count[verdict] += 1
        line = f"{name}, {tool}: {verdict}: {'; '.join(named)} [{' '.join(p['pattern'] for p in found['patterns'])}]"
        if verdict == "wrong":
            self.wrong.append(line)
        if self.verbose:
            print(line)
        return {"one of": f"of {len(named)}", "wrong": "WRONG"}.get(verdict, verdict)

    @property
    def right(self):
        return self.count["alone"] + self.count["one of"]

    def __str__(self):
        total = self.count.total()
        return (f"right alone {self.count['alone']}, one of several {self.count['one of']}, "
                f"none {self.count['none']}, wrong {self.count['wrong']}, of {total}")


def grown(image, disk, by):
    shutil.copyfile(image, disk)
    os.truncate(disk, image.stat().st_size + by)


def random_disks(folder, options):
    dice = random.Random(options.seed)
    score = Score(options.verbose)
    image, disk = folder / "image.raw", folder / "disk.raw"
    tools = [tool for tool in TOOLS if has(tool)]
    for number in range(20 * options.disks):
        if score.count.total() == options.disks:
            break
        tool = tools[number % len(tools)]
        random_image(dice, image)
        # On large disks no CHS can name the last sector.
        grown(image, disk, dice.randrange(1, dice.choice((64, 64, 64, 20480)) * MIB // S) * S)
        if score.judge(f"random {number}", tool, image, disk) == "WRONG" and options.keep:
            shutil.copyfile(image, f"{options.keep}/wrong.a")
            shutil.copyfile(disk, f"{options.keep}/wrong.b")
    return score


def catalogue_disks(folder, options):
    """The score, and the cells by image and tool."""
    score = Score(options.verbose)
    image, disk = folder / "image.raw", folder / "disk.raw"
    names = SUBSET if not options.all else [name for name, each in catalogue.CATALOGUE.items()
                                            if not each.large and not name.startswith(("refused", "esxi"))]
    cells = {}
    for name in names:
        image.unlink(missing_ok=True)
        try:
            catalogue.CATALOGUE[name].make(image)
            if subprocess.run([GPTGROW, "inspect", image], capture_output=True).returncode == 0:
                cells[name] = rewritten_by_each(score, name, image, disk)
        except catalogue.Skipped as why:
            print(f"{name} skipped: {why}", file=sys.stderr)
    return score, cells


def rewritten_by_each(score, name, image, disk):
    sector_size = 4096 if name.endswith("-4096") else S
    tools = [tool for tool in TOOLS if has(tool) and not (tool in NEED_KERNEL and sector_size != S)]
    cells = {}
    for tool in tools:
        subprocess.run(["cp", "--sparse=always", image, disk], check=True)
        os.truncate(disk, image.stat().st_size + 64 * MIB)
        cells[tool] = score.judge(name, tool, image, disk, sector_size)
    return cells


# --- The golden file -------------------------------------------------------------------------------------------------


def as_text(cells):
    headings = {tool: tool.split() for tool in TOOLS}
    height = max(map(len, headings.values()))
    widths = {tool: max(map(len, [*words, "refused"])) + 2 for tool, words in headings.items()}
    first = max(map(len, SUBSET)) + 2

    def line(name, column):
        return (name.ljust(first) + "".join(column(tool).ljust(widths[tool]) for tool in TOOLS)).rstrip() + "\n"

    def heading(at):
        return line("", lambda tool: ([""] * (height - len(headings[tool])) + headings[tool])[at])

    return "".join([LEGEND, *map(heading, range(height)), "\n",
                    *(line(name, lambda tool, row=row: row.get(tool, "-")) for name, row in cells.items())])


def from_text(text):
    """The cells by image and tool."""
    rows = [re.split(r"  +", row) for row in text.splitlines() if row.startswith(SUBSET)]
    return {name: {tool: cell for tool, cell in zip(TOOLS, row) if cell != "-"} for name, *row in rows}


def difference_from_golden(cells, update):
    """Where a tool or a kind of sector is not there, the golden file is right."""
    golden = GOLDEN.read_text() if GOLDEN.exists() else ""
    known = from_text(golden)
    here = {name: {**{tool: cell for tool, cell in known.get(name, {}).items() if not has(tool)}, **cells[name]}
            if name in cells else known.get(name, {})
            for name in SUBSET if name in cells or name.endswith("-4096")}
    text = as_text(here)
    if update:
        GOLDEN.write_text(text)
        return []
    return list(difflib.unified_diff(golden.splitlines(), text.splitlines(), str(GOLDEN), "found", lineterm=""))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--disks", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1815)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--keep", help="a folder for the last wrong disk")
    options = parser.parse_args()
    if not all(shutil.which(tool) for tool in ("sgdisk", "sfdisk", "parted")):
        print("no sgdisk, sfdisk or parted", file=sys.stderr)
        return 77
    with tempfile.TemporaryDirectory(dir=scratch_parent()) as name, ThreadPoolExecutor() as threads:
        folders = [Path(name) / each for each in ("random", "catalogue")]
        for folder in folders:
            folder.mkdir()
        without_waiting(Path(name))
        random_run = threads.submit(random_disks, folders[0], options)
        by_catalogue, cells = catalogue_disks(folders[1], options)
        held_out = random_run.result()
    difference = [] if options.all else difference_from_golden(cells, options.update)
    print(f"random disks, seed {options.seed}: {held_out}")
    print(f"catalogue: {by_catalogue}")
    for line in held_out.wrong + by_catalogue.wrong:
        print("WRONG", line)
    total = held_out.count.total()
    enough = total == options.disks and held_out.right * 100 >= RIGHT_OF_100 * total
    if not enough:
        print(f"expected {RIGHT_OF_100} of 100 right")
    if difference:
        print(*difference, "(tool_matrix.py --update takes what was found)", sep="\n")
    return 0 if enough and not (held_out.wrong or by_catalogue.wrong or difference) else 1


if __name__ == "__main__":
    sys.exit(main())
