#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# verify right after a restore finds no difference, on a device that discards, one that only zeroes, and one that does
# neither: the free space is no part of the image, and whether it was compared is said.
. "$(dirname "$0")/common.sh"
[ "$(id -u)" = 0 ] || { echo "needs root, for loop devices" >&2; exit 77; }

head -c 12M /dev/urandom >image.raw
sgdisk --clear -n1:2048:8191 image.raw >/dev/null

# restored EXPECTED: on $device; EXPECTED is the status of a verification of the free space too
restored() {
  status 0 "$gptgrow" restore image.raw "$device" --yes
  says out "was not compared: the image has nothing there"
  cp err restore.err
  status 0 "$gptgrow" verify image.raw "$device"
  says out "free space, $(((32 << 20) - (12 << 20) - 33 * 512)) bytes, was not compared: the image has nothing there"
  says out "--free-space compares it with zeros"
  status "$1" "$gptgrow" verify image.raw "$device" --free-space
  ! grep 'not compared' out >&2 || fail "compared, and said not to be"
}

head -c 32M /dev/urandom >disk.raw
loop_device disk.raw
restored 0
[ ! -s restore.err ] || ! grep 'left as they are' restore.err >&2 || fail "a device that discards is said not to"

# Neither the loop driver nor vfat has zeros for less than their length.
head -c 32M /dev/urandom | dd of="$device" bs=1M status=none
queue=/sys/block/${device#/dev/}/queue
if echo 0 2>/dev/null >"$queue/discard_max_bytes" && [ "$(cat "$queue/discard_max_bytes")" = 0 ] &&
  [ "$(cat "$queue/write_zeroes_max_bytes")" != 0 ]; then
  restored 0
fi
detach

truncate -s 80M fat.raw
mkfs.fat -F 32 fat.raw >/dev/null 2>&1
mkdir fat
mount -o loop fat.raw fat 2>/dev/null || { echo "cannot mount vfat here" >&2; exit 77; }
trap 'detach 2>/dev/null || true; umount fat || true; rm -rf "$scratch"' EXIT
head -c 32M /dev/urandom >fat/disk.raw
loop_device fat/disk.raw
restored 1
grep -q 'note: bytes 12582912-33537535, behind the image, are left as they are' restore.err ||
  { cat restore.err >&2; fail "what is left is not said"; }
detach
umount fat
trap 'detach 2>/dev/null || true; rm -rf "$scratch"' EXIT
