#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# In a rescue system or chroot where /proc and /sys are empty: what cannot be seen is told, and wanted twice; then the disk is what it
# should be, read through the page cache, and that is told too.
. "$(dirname "$0")/common.sh"
[ "$(id -u)" = 0 ] || { echo "needs root, for mounts and loop devices" >&2; exit 77; }

head -c 3M /dev/urandom >image.raw
sgdisk --clear -n1:64:4000 image.raw >/dev/null
truncate -s 8M served.raw
"$tests/model/write_disk.py" image.raw $((8 << 20)) served.raw
zstd -q image.raw
mkdir empty

# bare FOLDERS COMMAND...: runs it where these are empty.
bare() {
  local folders=$1
  shift
  # shellcheck disable=SC2016 # for that shell
  unshare -m sh -c 'empty=$1 folders=$2; shift 2; for each in $folders; do mount --bind "$empty" "$each"; done; exec "$@"' \
    sh "$PWD/empty" "$folders" "$@"
}
bare "/proc /sys" true || { echo "cannot mount here" >&2; exit 77; }

written() { # written TARGET WHAT
  cmp "$1" served.raw || fail "$2: not what is served"
}

for image in image.raw image.raw.zst; do
  head -c 8M /dev/urandom >disk.raw
  cp disk.raw before.raw
  status 2 bare "/proc /sys" "$gptgrow" restore $image disk.raw --yes
  says err "/proc/locks cannot be read: whether another program has locked it cannot be seen"
  says err "/sys shows no block devices: whether loop devices or others lie on it cannot be seen"
  says err "nothing is written"
  cmp disk.raw before.raw || fail "a refused restore wrote"
  status 0 bare "/proc /sys" "$gptgrow" restore $image disk.raw --yes --yes
  says out "data: same, "
  says out "through the page cache: it cannot be read past that"
  written disk.raw "restore of $image"
done
status 0 bare "/proc /sys" "$gptgrow" verify image.raw disk.raw --json
python3 -c 'import json; assert json.load(open("out"))["data"]["past_page_cache"] is False'
status 0 bare "/proc /sys" "$gptgrow" restore image.raw new.raw --size 8M --yes
written new.raw "a new file"
status 2 bare "/proc /sys" "$gptgrow" extend disk.raw last --apply
says err "nothing is written"
status 0 bare "/proc /sys" "$gptgrow" extend disk.raw last --apply --yes --yes --save-undo undo
says out "nothing in it is recognized"
status 0 bare "/proc /sys" "$gptgrow" repair disk.raw --undo undo --apply --yes --yes
written disk.raw "an extension that was undone"

# A disk, of which the kernel tells nothing: it holds it all the same.
for folders in "/proc /sys" /sys /proc; do
  head -c 8M /dev/urandom >disk.raw
  loop_device disk.raw
  status 0 bare "$folders" "$gptgrow" restore image.raw "$device" --yes --yes
  says out "data: same, "
  detach
  written disk.raw "a device, without $folders"
done
loop_device disk.raw
mkfs.ext2 -q "$device"
mkdir mnt
mount "$device" mnt
status 2 bare "/proc /sys" "$gptgrow" restore image.raw "$device" --yes --yes
says err "in use by another program"
"$tests/while_busy.sh" umount mnt
