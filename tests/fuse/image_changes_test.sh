#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The image is cut short, grows back, is deleted or replaced, cannot be read, or lies on a full file system: EIO where
# bytes are missing and never zeros, the right bytes everywhere else, and no hang.
. "$(dirname "$0")/common.sh"

size=$((64 << 20))
"$tests/images/catalogue.py" . holes-512 >/dev/null
cp holes-512.raw original
model holes-512 $size

cat >read.py <<'PYTHON'
# read.py PATH OFFSET LENGTH CUT: exits with 0 and the bytes, or with errno. One read, without and with the page cache:
# where the bytes from CUT on are missing, the cache may still give those before it.
import mmap, os, sys
path, offset, length, cut = sys.argv[1], *map(int, sys.argv[2:])
found = []
for flags in (os.O_DIRECT, 0):
    fd = os.open(path, os.O_RDONLY | flags)
    if not flags:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
    buffer = mmap.mmap(-1, length)
    try:
        found.append(bytes(buffer[:os.preadv(fd, [buffer], offset)]))
    except OSError as why:
        found.append(why.errno)
if isinstance(found[0], int) and isinstance(found[1], bytes) and offset + len(found[1]) <= cut:
    with open("expected.raw", "rb") as file:
        if os.pread(file.fileno(), len(found[1]), offset) == found[1]:
            found[1] = found[0]
if found[0] != found[1]:
    sys.exit(f"direct and buffered reads differ at {offset}: {str(found)[:200]}")
if isinstance(found[0], int):
    sys.exit(found[0])
sys.stdout.buffer.write(found[0])
PYTHON
readonly kEIO=5
read_range() { timeout 300 /usr/bin/python3 read.py mnt/disk.raw "$1" "$2" "${3:-0}"; }
fails() {  # fails OFFSET LENGTH [CUT]
  local status=0
  read_range "$@" >out 2>said || status=$?
  [ $status = $kEIO ] || fail "$2 bytes at $1: status $status, $(stat -c %s out) bytes; $(cat said)"
}
right() {  # right OFFSET LENGTH
  read_range "$1" "$2" >out || fail "$2 bytes at $1: status $?"
  cmp -s out <(tail -c +$(($1 + 1)) expected.raw | head -c "$2") || fail "$2 bytes at $1 are wrong"
}
drop_cache() {
  /usr/bin/python3 -c 'import os; os.posix_fadvise(os.open("mnt/disk.raw", 0), 0, 0, os.POSIX_FADV_DONTNEED)'
}

# Cut in the middle of a page, of a request, and of everything. The data is in bytes 0 to 1M and 5M to 5M + 64K.
grown holes-512 size=64M
for cut in 700000 131072 5300000 0; do
  cp original holes-512.raw
  right 0 262144
  truncate -s $cut holes-512.raw
  drop_cache
  first=$((cut / 4096 * 4096))
  fails $first 4096
  fails $((first + 4096)) 131072
  fails $((first > 65536 ? first - 65536 : 0)) 262144 $first
  [ $first -lt 65536 ] || right $((first - 65536)) 65536
  # The backup array is made of the image's primary array.
  [ $cut -lt 65536 ] || right $((size - 65536)) 65536
  right $((32 << 20)) 65536
  # What was refused was not kept: a file that grows back is read again.
  cp original holes-512.raw
  right $first 4096
  right $((first > 65536 ? first - 65536 : 0)) 262144
done
[ "$(stat -c %s mnt/disk.raw)" = $size ] || fail "the disk's size changed"
rm holes-512.raw
right $((512 * 1024)) 65536
cp original other && dd if=/dev/zero of=other bs=1M count=2 conv=notrunc status=none
mv other holes-512.raw
right 65536 262144
unmount
grep -q 'holes-512.raw: ends at byte 700000, was 8388608 bytes long when opened' messages ||
  fail "said: $(cat messages)"

# Reads that fail, in the middle of a request too: behind 1 MiB.
cp original holes-512.raw
mkdir below
nbdfuse below/disk.raw --command nbdkit -s --exit-with-parent --filter=error file holes-512.raw error-pread=EIO \
  error-pread-rate=1 error-pread-file="$scratch/bad" 2>nbdfuse.log &
below=$!
awaited "$below" test -e below/disk.raw || fail "nbdfuse"
ln -s below/disk.raw lower.raw
serve below/disk.raw size=64M
drop_lower() {
  /usr/bin/python3 -c 'import os; os.posix_fadvise(os.open("below/disk.raw", 0), 0, 0, os.POSIX_FADV_DONTNEED)'
  drop_cache
}
right 0 262144
for _ in 1 2; do
  drop_lower
  right 65536 65536
  : >bad
  fails 327680 131072
  fails 262144 4096
  right $((32 << 20)) 65536
  rm bad
  right 262144 262144
done
unmount
"$tests/while_busy.sh" fusermount3 -u below
wait "$below"

if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=2M none below; then
  cp original below/full.raw 2>/dev/null || true
  truncate -s 8M below/full.raw
  truncate -s 0 below/full.raw
  truncate -s 8M below/full.raw
  dd if=original of=below/full.raw bs=64K count=16 conv=notrunc status=none
  dd if=original of=below/full.raw bs=64K skip=126 seek=126 conv=notrunc status=none
  dd if=/dev/zero of=below/filler bs=4K status=none 2>/dev/null || true
  [ "$(df --output=avail below | tail -n 1)" -eq 0 ] || fail "not full"
  serve below/full.raw size=64M
  timeout 300 sha256sum mnt/disk.raw >/dev/null || fail "read from a full file system"
  unmount
  "$tests/while_busy.sh" umount below
fi
