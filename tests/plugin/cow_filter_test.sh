#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Writes come from --filter=cow: sgdisk changes the grown disk, the image stays.
. "$(dirname "$0")/common.sh"
[ -c /dev/fuse ] || { echo "no /dev/fuse here" >&2; exit 77; }

image esxi5-512
mkdir mnt
trap 'fusermount3 -u mnt 2>/dev/null || true; rm -rf "$scratch"' EXIT
nbdfuse mnt/disk [ nbdkit -s --exit-with-parent --filter=cow "$plugin" esxi5-512.raw size=64G ] &
for _ in $(seq 100); do [ -e mnt/disk ] && break; sleep 0.05; done
sgdisk -n 4:0:0 -c 4:new mnt/disk >/dev/null 2>&1 || fail "sgdisk -n"
sgdisk -i 4 mnt/disk | grep -q "Partition name: 'new'" || fail "the new partition"
sgdisk -v mnt/disk | grep -q '^No problems found' || fail "sgdisk -v"
fusermount3 -u mnt
wait

# Without the filter, a writer is turned away.
served esxi5-512.raw size=64G 'nbdsh -u "$uri" -c "assert h.is_read_only()"' 2>/dev/null ||
  served esxi5-512.raw size=64G 'nbdinfo "$uri"' | grep -q 'is_read_only: true' || fail "read-only"
unchanged esxi5-512
