#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Restores that fail: each says where and why, with exit status 2, in time, claims nothing, and leaves no valid table.
. "$(dirname "$0")/common.sh"
[ "$(id -u)" = 0 ] || { echo "needs root, for mounts and loop devices" >&2; exit 77; }

without=$tests/cli/without_io_uring.py
head -c 24M /dev/urandom >image.raw
sgdisk --clear -n1:2048:40000 image.raw >/dev/null
mkdir small
mount -t tmpfs -o size=9M none small || { echo "cannot mount here" >&2; exit 77; }
trap 'detach 2>/dev/null || true; umount small 2>/dev/null || umount -l small; rm -rf "$scratch"' EXIT

# fails TEXT TARGET COMMAND...: says TEXT, and that the target is incomplete, or that its table was being wiped.
fails() {
  status 2 timeout 20 "${@:3}"
  failed "$1" "$2"
}

failed() {
  says err "$1"
  grep -qE 'is incomplete and has no partition table; the same command|its old table may still be there, in part' err ||
    { cat err >&2; fail "no state is told"; }
  grep -qE 'at byte [0-9]+:|bytes [0-9]+-[0-9]+:|fsync:|bytes long, was' err || { cat err >&2; fail "no place is told"; }
  ! grep -F 'same' out >&2 || fail "success is claimed: $(cat out)"
  status 2 "$gptgrow" inspect "$2"
}

# Full file systems: found before anything is written, or in the middle, on a device that cannot know
status 2 timeout 20 "$gptgrow" restore image.raw small/target.raw --size 32M --yes
says err "small/target.raw: taking space for"
says err "no byte was written"
[ ! -e small/target.raw ] || fail "an empty file is left"
truncate -s 32M small/disk.raw
sgdisk -n7:2048:4096 small/disk.raw >/dev/null
cp --sparse=always small/disk.raw before.raw
status 2 timeout 20 "$gptgrow" restore image.raw small/disk.raw --yes
says err "No space left on device"
says err "no byte was written"
cmp small/disk.raw before.raw || fail "bytes were written"
loop_device small/disk.raw
fails "$device: " "$device" "$gptgrow" restore image.raw "$device" --yes --map map
rm -f map
fails "$device: " "$device" "$without" "$gptgrow" restore image.raw "$device" --yes --map map
# With more room, the same command goes on, or begins anew where it never got so far.
mount -o remount,size=64M small
status 0 timeout 20 "$gptgrow" restore image.raw "$device" --yes --map map
detach
rm small/disk.raw

# A write and a flush that fail
truncate -s 32M target.raw
inject() { # inject CALL NUMBER
  echo "strace -f -qq -o /dev/null -e trace=$1 -e inject=$1:error=EIO:when=$2"
}
# shellcheck disable=SC2046 # words
{
  fails "target.raw: write at byte" target.raw "$without" $(inject pwrite64 5+) "$gptgrow" restore image.raw target.raw --yes
  for flush in 1 2 3; do
    fails "target.raw: fsync: Input/output error" target.raw $(inject fsync $flush) "$gptgrow" restore image.raw target.raw --yes
  done
  rm -f map
  fails "Input/output error" target.raw $(inject fsync 9+) "$gptgrow" restore image.raw target.raw --yes --map map
}
rm -f map

# A map that cannot take the place of the old one, and a file that may not be so long: nothing is written, nothing is left
cp target.raw before.raw
# shellcheck disable=SC2046 # words
for call in rename unlink; do
  status $([ $call = rename ] && echo 2 || echo 0) $(inject $call 1) "$gptgrow" restore image.raw target.raw --yes --map map
  [ $call = rename ] || { says err "the map of the complete restore could not be removed: map: Input/output error"; continue; }
  says err "map: Input/output error"
  says err "no byte was written"
  cmp target.raw before.raw || fail "bytes were written"
  [ -z "$(ls map* 2>/dev/null)" ] || fail "left: $(ls map*)"
done
rm -f map
status 2 bash -c 'trap "" XFSZ; ulimit -f 1000; exec "$@"' bash "$gptgrow" restore image.raw new.raw --size 32M --yes
says err "new.raw: cannot be made 33554432 bytes long: File too large"
[ ! -e new.raw ] || fail "a file is left that is too short"
cp "$(command -v sleep)" busy.raw
truncate -s 32M busy.raw
./busy.raw 1000 &
status 2 "$gptgrow" restore image.raw busy.raw --yes
says err "busy.raw: cannot be opened for writing: Text file busy"
kill $!
wait $! || true

# The image becomes shorter, or its disk fails, while it is copied
for cut in 4M 0; do
  cp image.raw cut.raw
  held fsync 2 "$without" "$gptgrow" restore cut.raw target.raw --yes
  truncate -s $cut cut.raw
  released 2
  failed "gptgrow: cut.raw: " target.raw
done
gated image.raw mnt/image.raw "echo EIO >&2; exit 1"
fails "mnt/image.raw: read at byte" target.raw "$without" "$gptgrow" restore mnt/image.raw target.raw --yes
"$tests/while_busy.sh" fusermount3 -u mnt
wait

# What cannot be written at all
truncate -s 32M disk.raw
loop_device disk.raw --read-only
status 2 timeout 20 "$gptgrow" restore image.raw "$device" --yes
says err "the device is read-only"
detach
status 2 timeout 20 "$gptgrow" restore image.raw small/nowhere/target.raw --size 32M --yes
says err "No such file"
