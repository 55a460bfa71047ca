#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Hostile names, repeated names and GUIDs, and entries in impossible places are harmless and can be reached; by-name
# holds what libblkid makes of the names for udev.
. "$(dirname "$0")/common.sh"

cat >make.py <<'PYTHON'
import sys, uuid
sys.path.insert(0, sys.argv[1])
from dataclasses import replace
from pathlib import Path
from images.catalogue import Disk, Entry, LINUX_DATA, guid
names = ["plain", "/", "..", ".", "a/../../etc", "", "plain", "  both ends \t", "new\nline\x1b[31m", "a\\x2fb", "ä€😀",
         "\ufdd0\uffff\U0001ffff", "$(id)`id`'\"", "-rf", "x" * 36, "\u202egpj.exe", "\x7f\x01", "   ", "~7", "plain~7"]
entries = {i + 1: Entry(LINUX_DATA, guid(f"{i}"), 64 + 8 * i, 71 + 8 * i, 0, name) for i, name in enumerate(names)}
last = len(names) + 1
entries[last] = replace(entries[1], first_lba=600, last_lba=607, name="lone")
entries[last + 1] = Entry(LINUX_DATA, guid("backwards"), 700, 650, 0, "backwards")
Disk(entries=dict(list(entries.items())[:20])).write(Path("kernel.raw"))
Disk(entries=entries).write(Path("names.raw"))
few = dict(list(entries.items())[:6])
Disk(entries=few | {9: Entry(LINUX_DATA, uuid.UUID(int=0), 3000, 99999, 0, "long")}).write(Path("long.raw"))
PYTHON
/usr/bin/python3 make.py "$tests"
"$tests/images/fingerprint.sh" names.raw >names.fingerprint
grown names size=64M

cat >check.py <<'PYTHON'
import os, sys
os.chdir("mnt/by-name")
links = {name: os.readlink(name) for name in os.listdir(".")}
expected = {
    "plain": 1, "\\x2f": 2, "\\x2e\\x2e": 3, "\\x2e": 4, "a\\x2f..\\x2f..\\x2fetc": 5, "~6": 6, "plain~7": 7,
    "\\x20\\x20both\\x20ends": 8, "new\\x0aline\\x1b\\x5b31m": 9, "a\\x5cx2fb": 10, "ä€😀": 11,
    "\\xef\\xb7\\x90\\xef\\xbf\\xbf\\xf0\\x9f\\xbf\\xbf": 12, "\\x24\\x28id\\x29\\x60id\\x60\\x27\\x22": 13, "-rf": 14,
    "x" * 36: 15, "\u202egpj.exe": 16, "\\x7f\\x01": 17, "~18": 18, "\\x7e7": 19, "plain\\x7e7": 20, "lone": 21,
    "backwards": 22,
}
found = {name: int(target.removeprefix("../partitions/").removesuffix(".raw")) for name, target in links.items()}
assert found == expected, set(found.items()) ^ set(expected.items())
for name, slot in found.items():
    assert os.path.samefile(name, f"../partitions/{slot}.raw"), name
    assert os.stat(name).st_size == (0 if slot == 22 else 8 * 512), name
    assert os.path.realpath(name) == os.path.realpath(f"../partitions/{slot}.raw")
guids = os.listdir("../by-partuuid")
assert len(guids) == 22 and sum("~" in guid for guid in guids) == 1, guids
PYTHON
/usr/bin/python3 check.py || fail "by-name"
[ "$(find mnt -name '*~21' -path '*by-partuuid*' | wc -l)" = 1 ] || fail "the repeated GUID"
head -c 512 mnt/partitions/22.raw | cmp -s - /dev/null || fail "an entry that ends before it begins"

# libblkid names partition devices; partx makes them where the kernel does not.
if loop_device kernel.raw -r; then
  at_exit 'partx -d "$loop" 2>/dev/null'
  partx -u "$loop" # some may be left of another device
  compared=0
  for slot in $(seq 1 19); do
    name=$(blkid -p -o udev "${loop}p$slot" | sed -n 's/^ID_PART_ENTRY_NAME=//p')
    case $slot in
      3 | 4 | 6 | 7 | 18) continue ;;  # where udev has no name, or one that is no file name, or one twice
    esac
    [ "$(readlink "mnt/by-name/$name")" = "../partitions/$slot.raw" ] || fail "slot $slot: udev has $name"
    compared=$((compared + 1))
  done
  [ $compared = 14 ] || fail "compared $compared names"
fi
unmount
unchanged names

# A partition that the image has nothing of.
if "$fuse" long.raw mnt -o size=64M 2>said; then fail "data is missing"; fi
grown long size=64M,truncated=allow
[ "$(stat -c %s mnt/partitions/9.raw)" = $((97000 * 512)) ] || fail "a long partition: $(ls -l mnt/partitions)"
[ -e mnt/by-partuuid/00000000-0000-0000-0000-000000000000 ] || fail "a GUID of zeros"
unmount
