#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What an earlier run wrote is checked by the run that completes it, or is said not to be. A device that was changed between
# the two is another image.
. "$(dirname "$0")/common.sh"

head -c 24M /dev/urandom >image.raw
sgdisk --clear -n1:2048:40000 image.raw >/dev/null

# killed CALL NUMBER IMAGE TARGET
killed() {
  local got=0
  strace -f -qq -o /dev/null -e "trace=$1" -e "inject=$1:signal=KILL:when=$2" \
    "$gptgrow" restore "$3" "$4" --yes --yes --map map >/dev/null 2>&1 || got=$?
  [ $got = 137 ] && [ -s map ] || fail "not killed in $1, with a map: $got"
}

# Killed while the map of a finished restore is removed, and the disk changed since
truncate -s 32M target.raw
killed unlink 1 image.raw target.raw
status 0 "$gptgrow" verify image.raw target.raw
printf x | dd of=target.raw bs=1 seek=10000000 conv=notrunc status=none
cp target.raw changed.raw
cp map kept.map
status 0 "$gptgrow" restore image.raw target.raw --yes --map map --no-verify
grep -qE 'note: [0-9]{8} bytes written by an earlier run were not checked' err || { cat err >&2; fail "not said"; }
cp changed.raw target.raw
cp kept.map map
status 2 "$gptgrow" restore image.raw target.raw --yes --map map
says out "the first difference is at byte 10000000"
# One that began anew has nothing to say.
rm -f map
status 0 "$gptgrow" restore image.raw target.raw --yes --map map --no-verify
! grep 'earlier run' err >&2 || fail "an earlier run is told of that never was"

# Its map cannot be removed: the restore is complete all the same, and verified.
strace -f -qq -o /dev/null -e trace=unlink -e inject=unlink:error=EROFS:when=1 \
  "$gptgrow" restore image.raw target.raw --yes --map map >out 2>err || fail "not complete: $?"
says out "data: same"
says err "the map of the complete restore could not be removed: map: Read-only file system"
rm map

[ "$(id -u)" = 0 ] || exit 0
cp image.raw disk.raw
loop_device disk.raw
cp target.raw target.before
# goes_on_after_change PLACE: two bytes of the image, after the data was copied and the map of that saved
goes_on_after_change() {
  cp target.before target.raw
  killed fsync 12 "$device" target.raw
  printf '\x5a\xa5' | dd of="$device" bs=1 seek="$1" conv=notrunc status=none
  sync "$device"
}
goes_on_after_change $((2048 * 512 + 1080))
status 2 "$gptgrow" restore "$device" target.raw --yes --yes --map map
says err "was another image, or has been changed since"
# Between the samples: every byte is verified, whoever wrote it.
rm map
goes_on_after_change $((12345678))
status 2 "$gptgrow" restore "$device" target.raw --yes --yes --map map
says out "the first difference is at byte 12345678"
detach
