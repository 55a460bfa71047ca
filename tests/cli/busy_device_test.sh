#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Devices that repair must not touch: mounted, read-only, the image under another name.
. "$(dirname "$0")/common.sh"

[ "$(id -u)" = 0 ] || { echo "needs root, for a loop device" >&2; exit 77; }
image entries-128-512
grown entries-128-512.raw disk.raw 4M
cp disk.raw before.raw

# refused DEVICE TEXT: as that, and no byte changes
refused() {
  status 2 "$gptgrow" repair "$1" --from entries-128-512.raw --apply
  says err "$2"
  cmp disk.raw before.raw || fail "the disk changed"
}

loop_device disk.raw --read-only
refused "$device" "cannot be opened for writing"
refused disk.raw "in use by $device"
status 2 "$gptgrow" repair "$device" --from disk.raw --apply
says err "cannot be opened for writing"
detach

loop_device disk.raw
status 2 "$gptgrow" repair "$device" --from disk.raw --apply
says err "is the image itself"
status 1 "$gptgrow" repair "$device" --from entries-128-512.raw
detach

loop_device disk.raw --sector-size 4096
refused "$device" "sectors of 4096 bytes, expected 512"
detach

# A file system on the whole device, with a GPT in front of it
truncate -s 64M fs.raw
mkfs.ext4 -q -E offset=1048576 fs.raw 62M
cp fs.raw disk.raw
sgdisk --clear -n1:4096:0 disk.raw >/dev/null
cp disk.raw before.raw
loop_device disk.raw
whole=$device
loop_device "$whole" --offset 1048576
mkdir mnt
mount -o ro "$device" mnt 2>/dev/null || { echo "cannot mount here" >&2; exit 77; }
trap '"$tests/while_busy.sh" umount mnt; detach; rm -rf "$scratch"' EXIT
status 2 "$gptgrow" repair "$device" --relocate --apply
says err "in use: $device is mounted on"
refused "$whole" "in use"
