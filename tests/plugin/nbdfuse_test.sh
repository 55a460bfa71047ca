#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Through nbdfuse, the usual tools find nothing to complain of.
. "$(dirname "$0")/common.sh"
[ -c /dev/fuse ] || { echo "no /dev/fuse here" >&2; exit 77; }

image esxi5-512
mkdir mnt
trap 'fusermount3 -u mnt 2>/dev/null || true; rm -rf "$scratch"' EXIT
nbdfuse mnt/disk [ nbdkit -s --exit-with-parent "$plugin" esxi5-512.raw size=2T ] &
for _ in $(seq 100); do [ -e mnt/disk ] && break; sleep 0.05; done
sgdisk -v mnt/disk >sgdisk.txt 2>&1 || true
grep -q '^No problems found' sgdisk.txt || fail "sgdisk -v: $(cat sgdisk.txt)"
sfdisk --verify mnt/disk >sfdisk.txt 2>&1 || fail "sfdisk --verify: $(cat sfdisk.txt)"
sgdisk -p mnt/disk | awk '/^ +[0-9]/ { printf "%s ", $1 }' | grep -qx '1 2 3 5 6 7 8 ' || fail "slots of sgdisk -p"
cmp -n 512 mnt/disk esxi5-512.raw | grep -q 'byte 459,' || fail "first difference is not SizeInLBA"
fusermount3 -u mnt
wait
unchanged esxi5-512
