#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Through nbdfuse, the usual tools find nothing to complain of.
. "$(dirname "$0")/common.sh"

image esxi5-512
mounted "$plugin" esxi5-512.raw size=2T
sgdisk -v mnt/disk >sgdisk.txt 2>&1 || true
grep -q '^No problems found' sgdisk.txt || fail "sgdisk -v: $(cat sgdisk.txt)"
sfdisk --verify mnt/disk >sfdisk.txt 2>&1 || fail "sfdisk --verify: $(cat sfdisk.txt)"
sgdisk -p mnt/disk | awk '/^ +[0-9]/ { printf "%s ", $1 }' | grep -qx '1 2 3 5 6 7 8 ' || fail "slots of sgdisk -p"
cmp -l -n 512 mnt/disk esxi5-512.raw >mbr.txt || true
awk '$1 < 459 || $1 > 462 { exit 1 } END { if (NR == 0) exit 1 }' mbr.txt || fail "other MBR bytes than SizeInLBA: $(cat mbr.txt)"
unmount
unchanged esxi5-512
