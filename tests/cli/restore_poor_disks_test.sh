#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Disks and file systems that lack what most have: no discard, no punched holes, no zeros of their own, nothing told of holes or of
# extents, no space in advance. Every byte is what it should be, and what had to be left is told.
. "$(dirname "$0")/common.sh"

head -c 3M /dev/urandom >image.raw
sgdisk --clear -n1:64:4000 -n2:4096:5000 image.raw >/dev/null
truncate -s 8M served.raw
dd if=/dev/zero of=image.raw bs=64K seek=10 count=7 conv=notrunc status=none
fallocate --dig-holes image.raw
"$tests/model/write_disk.py" image.raw $((8 << 20)) served.raw

junk() {
  head -c 8M /dev/urandom >disk.raw
}

free_space() {
  dd if=disk.raw bs=1M skip=5 count=2 status=none | sha256sum
}

written() { # written WHAT
  cmp "${2:-disk.raw}" served.raw || fail "$1: not what is served"
}

# Calls that a file system does not know
for calls in fallocate:error=EOPNOTSUPP fallocate:error=ENOSYS ioctl:error=ENOTTY lseek:error=EINVAL; do
  for free_space in zero discard; do
    junk
    status 0 strace -f -qq -o /dev/null -e "inject=$calls" "$gptgrow" restore image.raw disk.raw --yes --free-space $free_space
    says out "data: same, "
    [ $free_space = zero ] || [ "${calls%%:*}" = lseek ] || continue
    written "$calls, free space $free_space"
  done
done
for image in image.raw image.raw.zst; do
  [ -e $image ] || zstd -q image.raw
  rm -f new.raw
  status 0 strace -f -qq -o /dev/null -e inject=fallocate,ioctl:error=EOPNOTSUPP "$gptgrow" restore $image new.raw --size 8M --yes
  written "a new file from $image" new.raw
done
# One that is interrupted in each of them once, or fails
junk
status 0 strace -f -qq -o /dev/null -e inject=fallocate:error=EINTR:when=1+2 "$gptgrow" restore image.raw disk.raw --yes --free-space zero
says out "data: same, "
written "interrupted"
junk
status 2 strace -f -qq -o /dev/null -e inject=fallocate:error=EIO:when=3+ "$gptgrow" restore image.raw disk.raw --yes --free-space zero
says err "disk.raw: zeroing bytes"
status 2 "$gptgrow" inspect disk.raw

[ "$(id -u)" = 0 ] || exit 0
# A disk that can neither discard nor write zeros by itself: a loop device over a file by FUSE, of a server that can not
[ -c /dev/fuse ] || { echo "no /dev/fuse here" >&2; exit 77; }
junk
mkdir mnt
trap 'detach 2>/dev/null || true; fusermount3 -u -z mnt 2>/dev/null || true; rm -rf "$scratch"' EXIT
nbdfuse mnt/disk --command nbdkit -s --exit-with-parent split disk.raw &
until [ -e mnt/disk ]; do kill -0 $! || { echo "no FUSE here" >&2; exit 77; }; sleep 0.05; done
loop_device mnt/disk
junk_left=$(free_space)
status 0 "$gptgrow" restore image.raw "$device" --yes
says out "data: same, "
says err "behind the image, are left as they are"
[ "$(free_space)" = "$junk_left" ] || fail "free space was written, though it was said to be left"
status 0 "$gptgrow" verify image.raw "$device"
status 1 "$gptgrow" verify image.raw "$device" --free-space
says out "free space: 0x"
status 0 "$gptgrow" restore image.raw "$device" --yes --free-space zero
status 0 "$gptgrow" verify image.raw "$device" --free-space
detach
"$tests/while_busy.sh" fusermount3 -u mnt
wait
written "a device of zeros that were sent"
