#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Data that a tool's larger or moved array was written over: repair names it, leaves it, and does not call it repaired.
. "$(dirname "$0")/common.sh"
command -v parted >/dev/null || fail "parted is missing"

python3 - "$tests" <<'PYTHON'
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from images.catalogue import LINUX_DATA, Disk, extent, guid, pattern, standard_entries, then, write_at
from images.gpt import Entry
# Four entries, which LBA 2 holds, and slot 1 right behind.
Disk(entry_count=4, entries={1: Entry(LINUX_DATA, guid("one"), 3, 511)}).write(Path("small.raw"))
# As on isohybrid disks: an Apple partition map where other tools put the array.
apple = lambda path: write_at(path, 1024, b"PM\0\0" + pattern(1028, 508))
hybrid = Disk(primary_array_lba=20, first_usable_lba=64)
then(hybrid, apple)(Path("hybrid.raw"))
PYTHON

# damaged IMAGE: disk.raw, made larger by parted
damaged() {
  grown "$1" disk.raw 4M
  parted --script --fix disk.raw print >tool.log 2>&1 || { cat tool.log >&2; fail "parted"; }
  ! cmp -s -n 17408 -i 1024 "$1" disk.raw || fail "parted left $1 as it was"
}

# mended IMAGE: what repair says to do brings the bytes back; IMAGE is quoted where a shell wants that
mended() {
  grep -o 'dd if=.*' shown >commands
  [ -s commands ] || fail "no command is shown"
  bash -e commands 2>dd.log || { cat dd.log >&2; fail "a command that is shown does not work"; }
  status 0 "$gptgrow" repair disk.raw --from "$1"
  says err "data was compared only where a table is or usually lies"
  grep -o 'gptgrow verify.*' err | sed "s|^gptgrow|'$gptgrow'|" >commands
  bash -e commands >dd.log || { cat commands dd.log >&2; fail "the command that compares all does not"; }
  cmp -n 1000000 -i 1024 "$1" disk.raw || fail "not the image's bytes"
}

damaged small.raw
status 1 "$gptgrow" repair disk.raw --from small.raw --json
"$tests/cli/validate.py" "$tests/../cli/schema/repair.json" out
python3 - <<'PYTHON'
import json
left = json.load(open("out"))["overwritten"]
assert left and all(each["slot"] == 1 for each in left), left
image, disk = open("small.raw", "rb").read(), open("disk.raw", "rb").read()
for at in range(3 * 512, 512 * 512, 512):
    named = any(each["offset_bytes"] <= at < each["offset_bytes"] + each["length_bytes"] for each in left)
    assert named == (image[at:at + 512] != disk[at:at + 512]), at
PYTHON
rm -f ./*.undo
status 1 "$gptgrow" repair disk.raw --from small.raw --apply
cp out shown
says out "of slot 1, not as in small.raw"
says err "the table is repaired, and read back; but"
says err "gptgrow verify small.raw disk.raw"
# Nothing is left to write, but the damage is still there, and is still told.
rm -f ./*.undo
status 1 "$gptgrow" repair disk.raw --from small.raw --apply
says err "the table is as it should be; but"
mended small.raw

# A name with a space is one word of each command.
damaged small.raw
mv small.raw 'a b.raw'
rm -f ./*.undo
status 1 "$gptgrow" repair disk.raw --from 'a b.raw' --apply
cp out shown
says err "gptgrow verify 'a b.raw' disk.raw"
mended 'a b.raw'
mv 'a b.raw' small.raw

# The bytes of a container are not those of the disk in it: nobody is told to copy them.
qemu-img convert -O qcow2 small.raw small.qcow2
damaged small.raw
rm -f ./*.undo
status 1 "$gptgrow" repair disk.raw --from small.qcow2 --apply
! grep -q "dd if=" out || { cat out >&2; fail "a container would be copied into a partition"; }
says out "of slot 1, not as in small.qcow2"
says out "make a raw image of it first (qemu-img convert -O raw"
qemu-img convert -O raw small.qcow2 raw.raw
status 1 "$gptgrow" repair disk.raw --from raw.raw
cp out shown
mended raw.raw

damaged hybrid.raw
rm -f ./*.undo
status 1 "$gptgrow" repair disk.raw --from hybrid.raw --apply
cp out shown
says out "512 bytes of an Apple partition map, not as in hybrid.raw"
says out "of data in no partition"
mended hybrid.raw

# Nothing lost, nothing said
image unused-slots-junk-512
grown unused-slots-junk-512.raw disk.raw 4M
rm -f ./*.undo
status 0 "$gptgrow" repair disk.raw --from unused-slots-junk-512.raw --apply
says err "the table is repaired, and read back; data was compared only"
status 0 "$gptgrow" repair disk.raw --relocate
says err "no data of the partitions was looked at"
