#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Full file systems: what is not enough is said before a byte is written, and nothing stays taken of it: what had holes
# has them again, what was reserved stays reserved. The map is made before the old table is wiped.
. "$(dirname "$0")/common.sh"
[ "$(id -u)" = 0 ] || { echo "needs root, for mounts" >&2; exit 77; }

head -c 24M /dev/urandom >image.raw
sgdisk --clear -n1:2048:40000 image.raw >/dev/null
mkdir small
trap '"$tests/while_busy.sh" umount small 2>/dev/null || true; rm -rf "$scratch"' EXIT

used() { df --output=used small | tail -1; }

# refused TARGET OPTION...: and nothing has changed
refused() {
  local before blocks="" existed=""
  before=$(used)
  if [ -e "$1" ]; then
    existed=yes blocks=$(stat -c %b "$1")
    cp --sparse=always "$1" before.raw
  fi
  status 2 "$gptgrow" restore image.raw "$@" --yes
  says err "No space left on device"
  says err "$1: no byte was written"
  sync
  [ "$(used)" = "$before" ] || fail "$(used) KiB are used, $before before"
  if [ "$existed" ]; then
    [ "$(stat -c %b "$1")" = "$blocks" ] || fail "$1 has $(stat -c %b "$1") blocks, $blocks before"
    cmp "$1" before.raw || fail "bytes were written"
  else
    [ ! -e "$1" ] || fail "an empty file is left"
  fi
}

# with KIND: a file system of that kind at small
check() {
  truncate -s 32M small/holes.raw
  sgdisk -n7:2048:4096 small/holes.raw >/dev/null
  head -c 1M /dev/urandom | dd of=small/holes.raw bs=1M seek=20 conv=notrunc status=none
  sync
  refused small/new.raw --size 32M
  refused small/holes.raw
  refused small/holes.raw --map map
  [ ! -e map ] || fail "a map is left of what never began"
  refused small/new.raw --size 32M --map map
}

mount -t tmpfs -o size=9M none small || { echo "cannot mount here" >&2; exit 77; }
check
# The map's file system is full: the target is not touched.
truncate -s 32M disk.raw
sgdisk -n7:2048:4096 disk.raw >/dev/null
cp disk.raw disk.before
rm small/holes.raw
dd if=/dev/zero of=small/filler bs=64k status=none 2>/dev/null || true
status 2 "$gptgrow" restore image.raw disk.raw --yes --map small/map
says err "small/map: No space left on device"
says err "disk.raw: no byte was written"
cmp disk.raw disk.before || fail "the old table is gone"
status 2 "$gptgrow" restore image.raw new.raw --size 32M --yes --map small/map
[ ! -e new.raw ] || fail "an empty file is left"
[ "$(ls small)" = filler ] || fail "left: $(ls small)"
"$tests/while_busy.sh" umount small

for kind in "ext4 -q -O ^has_journal" "xfs -q"; do
  rm -f fs.raw
  truncate -s 20M fs.raw
  case $kind in xfs*) command -v mkfs.xfs >/dev/null || continue; truncate -s 310M fs.raw ;; esac
  # shellcheck disable=SC2086 # words
  mkfs.$kind fs.raw
  flock /dev/loop-control mount -o loop fs.raw small || { echo "cannot mount here" >&2; exit 77; }
  case $kind in xfs*) fallocate -l $(($(df --output=avail -B1 small | tail -1) - (12 << 20))) small/filler ;; esac
  check
  # A reservation is not a hole: it stays, and what it covers is not asked for twice.
  rm small/holes.raw
  truncate -s 32M small/part.raw
  fallocate -n -o 8M -l 4M small/part.raw
  refused small/part.raw
  "$tests/while_busy.sh" umount small
done

# A file that has its space already takes it from nobody.
rm -f fs.raw
truncate -s 50M fs.raw
mkfs.ext4 -q -O ^has_journal fs.raw
flock /dev/loop-control mount -o loop fs.raw small
fallocate -l 32M small/whole.raw
[ "$(df --output=avail -B1 small | tail -1)" -lt $((24 << 20)) ] || fail "not full enough"
status 0 "$gptgrow" restore image.raw small/whole.raw --yes --map map
"$tests/while_busy.sh" umount small

# Killed after the map was made, before anything was written: the same command begins anew.
cp disk.before disk.raw
killed=0
strace -f -qq -o /dev/null -e trace=fsync -e inject=fsync:signal=KILL:when=2 \
  "$gptgrow" restore image.raw disk.raw --yes --map map >/dev/null 2>&1 || killed=$?
[ $killed = 137 ] && [ -e map ] || fail "not killed with a map: $killed"
cmp disk.raw disk.before || fail "the map was not made first"
status 0 "$gptgrow" restore image.raw disk.raw --yes --map map
[ ! -e map ] || fail "a map is left"
