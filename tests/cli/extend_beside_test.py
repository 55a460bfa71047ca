#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What each tool that extends a partition keeps of all else, measured: each extends slot 6 of the same disks, which have become
64 MiB larger, and README's table says what was found. --update writes it. Of a tool that is not installed, README is right.

    extend_beside_test.py [--update] [--verbose]
"""

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from cli.restored import scratch_parent  # noqa: E402
from cli.tool_matrix import GPTGROW, MIB, SFDISK, S, run, without_waiting  # noqa: E402
from images import catalogue, gpt  # noqa: E402
from images.catalogue import Disk, protective  # noqa: E402
from images.gpt import MbrRecord  # noqa: E402

README = TESTS.parent / "README.md"
SLOT = 6
LAST = 2 * MIB // S - 1
REQUIRED, LEGACY_BOOT, READ_ONLY, RESERVED = 1, 1 << 2, 1 << 60, 1 << 20
TAIL = catalogue.pattern(0, 420, 0x5A)


def entries():
    used = catalogue.standard_entries(S)
    used[SLOT] = catalogue.replace(used[SLOT], attributes=REQUIRED | LEGACY_BOOT | READ_ONLY | RESERVED)
    return used


# --- The tools -------------------------------------------------------------------------------------------------------


def entry_of(disk):
    return dict(used(disk))[SLOT]


def sgdisk(disk):
    """As growpart does, where it is told to use sgdisk."""
    old = entry_of(disk)
    return run("sgdisk", "-e", "-d", SLOT, "-a", "1", "-n", f"{SLOT}:{old.first_lba}:0", "-t", f"{SLOT}:{old.type_guid}",
               "-u", f"{SLOT}:{old.partition_guid}", "-c", f"{SLOT}:{old.name}", disk)


def repart(disk):
    """All partitions are known to it, and the one may grow."""
    definitions = Path(tempfile.mkdtemp(dir=Path(disk).parent))
    for slot, entry in used(disk):
        grows = "" if slot == SLOT else f"SizeMaxBytes={(entry.last_lba - entry.first_lba + 1) * S}\n"
        (definitions / f"{slot:02}.conf").write_text(f"[Partition]\nType={entry.type_guid}\nSizeMinBytes=4096\n{grows}")
    return run("systemd-repart", "--dry-run=no", "--empty=refuse", "--discard=no", f"--definitions={definitions}", disk)


def ours(disk):
    undo = Path(disk).with_name(os.urandom(8).hex())
    return run(GPTGROW, "extend", disk, SLOT, "--apply", "--save-undo", undo)


TOOLS = {
    "growpart": ("growpart", lambda disk: run("growpart", disk, SLOT)),
    "sfdisk -N": ("sfdisk", lambda disk: run(*SFDISK, "-N", SLOT, disk, stdin=", +\n")),
    "parted resizepart": ("parted", lambda disk: run("parted", "--script", "--fix", disk, "resizepart", SLOT, "100%")),
    "sgdisk -d -n": ("sgdisk", sgdisk),
    "systemd-repart": ("systemd-repart", repart),
    "**gptgrow extend**": (str(GPTGROW), ours),
}


# --- What is kept ----------------------------------------------------------------------------------------------------


def header(disk):
    return gpt.Header(catalogue.read_at(disk, S, S))


def array(disk):
    found = header(disk)
    return catalogue.read_at(disk, found.partition_entry_lba * S, found.array_size)


def used(disk):
    found = header(disk)
    return list(gpt.used_entries(array(disk), found.number_of_partition_entries, found.size_of_partition_entry))


def slots(disk):
    """The bytes of each slot, without EndingLBA."""
    data = array(disk)
    return [data[at : at + 40] + data[at + 48 : at + 128] for at in range(0, len(data), 128)]


def mbr(disk):
    return catalogue.read_at(disk, 0, S)


def other_entries(before, after):
    """All that is used, but for attributes."""
    bytes_of = [[slot[:40] + slot[48:] for slot in slots(disk)] for disk in (before, after)]
    numbers = [number - 1 for number, _ in used(before)]
    if [number for number, _ in used(after)] != [number + 1 for number in numbers]:
        return "entries moved"
    return "yes" if all(bytes_of[0][n] == bytes_of[1][n] for n in numbers) else "entries edited"


def attributes(before, after):
    old, new = entry_of(before).attributes, entry_of(after).attributes
    names = {REQUIRED: "required", LEGACY_BOOT: "boot", READ_ONLY: "read-only", RESERVED: "reserved"}
    lost = [name for bit, name in names.items() if old & bit and not new & bit]
    return "yes" if old == new else "all lost" if not new else f"{', '.join(lost)} lost"


def unused(before, after):
    numbers = [n for n, slot in enumerate(slots(before)) if not any(slot[:16])]
    kept = [slots(after)[n] == slots(before)[n] for n in numbers]
    return "yes" if all(kept) else "zeroed" if not any(any(slots(after)[n]) for n in numbers) else "changed"


def hybrid(before, after):
    old, new = gpt.mbr_records(mbr(before))[1], gpt.mbr_records(mbr(after))
    if old in new:
        return "yes"
    return "CHS rewritten" if any(each.starting_lba == old.starting_lba for each in new) else "destroyed"


def kept(what, otherwise):
    return lambda before, after: "yes" if what(before) == what(after) else otherwise


# Each is looked at on a disk of its own: what a tool cannot read at all must not hide the rest.
COLUMNS = {
    "all entries": ({}, other_entries),
    "attributes": ({}, attributes),
    "unused-slot bytes": ({"junk_in_unused_slots": True}, unused),
    "MBR active flag": ({"records": [protective(LAST, boot_indicator=0x80)]}, kept(lambda disk: mbr(disk)[446], "cleared")),
    "MBR bytes 440–445": ({"disk_signature": b"\xde\xad\xbe\xef\x5a\x5a"}, kept(lambda disk: mbr(disk)[440:446], "zeroed")),
    "header tail": ({"primary_tail": TAIL}, kept(lambda disk: header(disk).sector[92:], "zeroed")),
    "hybrid MBR": ({"records": [protective(191), MbrRecord(0x0C, 192, 320, 0x80, b"\x01\x01\x00", b"\x08\x09\x00")]}, hybrid),
    "array not at LBA 2": ({"primary_array_lba": 16}, kept(lambda disk: header(disk).partition_entry_lba, "moved")),
}


def measured(use, folder, verbose):
    row = []
    for knobs, look in COLUMNS.values():
        before, after = folder / "before.raw", folder / "after.raw"
        before.unlink(missing_ok=True)
        Disk(entries=entries(), **knobs).write(before)
        shutil.copyfile(before, after)
        os.truncate(after, 66 * MIB)
        done = use(after)
        # An exit status of 0 may mean that there was nothing to do.
        is_longer = header(after).has_signature and dict(used(after)).get(SLOT) and entry_of(after).last_lba > LAST
        if verbose:
            print(done.args, done.returncode, done.stdout, done.stderr)
        row.append(look(before, after) if done.returncode == 0 and is_longer else "fails")
    return row


# --- README ----------------------------------------------------------------------------------------------------------


def line(cells):
    return f"| {' | '.join(cells)} |\n"


def main():
    readme = README.read_text()
    heading = line(["tool", *COLUMNS])
    found = re.search(rf"{re.escape(heading)}((?:\|.*\n)+)", readme)
    assert found, f"README has no table with this heading: {heading}"
    known = {cells[1]: cells[2:-1] for row in found.group(1).splitlines() for cells in [re.split(r" *\| *", row)]}
    rows = {}
    with tempfile.TemporaryDirectory(dir=scratch_parent()) as name:
        without_waiting(Path(name))
        for tool, (program, use) in TOOLS.items():
            if shutil.which(program):
                row = measured(use, Path(name), "--verbose" in sys.argv)
                rows[tool] = [f"**{cell}**" for cell in row] if tool.startswith("**") else row
            else:
                print(f"{tool} skipped: no {program}", file=sys.stderr)
                rows[tool] = known.get(tool, ["–"] * len(COLUMNS))
    table = heading + "|" + "---|" * (len(COLUMNS) + 1) + "\n" + "".join(line([tool, *row]) for tool, row in rows.items())
    if "--update" in sys.argv:
        README.write_text(readme.replace(found.group(), table))
        return 0
    assert rows["**gptgrow extend**"] == ["**yes**"] * len(COLUMNS), rows["**gptgrow extend**"]
    if table != found.group():
        print(f"README says:\n{found.group()}\nmeasured:\n{table}\n--update writes it", file=sys.stderr)
        return 1
    print(f"{len(rows)} tools, {len(COLUMNS)} disks each")
    return 0


if __name__ == "__main__":
    sys.exit(main())
