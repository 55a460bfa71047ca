#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Modes, owner, times, inode numbers, sizes up to the largest, holes and free space are as the manual says.
. "$(dirname "$0")/common.sh"

image holes-512
touch -d '2014-05-13 16:53:20.123456789 UTC' holes-512.raw
"$tests/images/fingerprint.sh" holes-512.raw >holes-512.fingerprint
size=$((64 << 20))
model holes-512 $size
list() { find mnt -printf '%P %i %m %u %T+ %A+ %C+ %s %b %l\n' | sort; }
user=$(id -un) time='2014-05-13+16:53:20.1234567890'
export TZ=UTC

grown holes-512 size=64M
list >first
if [ "$(id -u)" = 0 ] && [ -w "/sys/class/bdi/$(mountpoint -d mnt)/read_ahead_kb" ]; then
  [ "$(cat "/sys/class/bdi/$(mountpoint -d mnt)/read_ahead_kb")" = 512 ] || fail "read-ahead"
fi
[ "$(grep -c . first)" -ge 19 ] || fail "$(cat first)"
[ "$(cut -d ' ' -f 2 first | sort | uniq -d)" = "" ] || fail "an inode number is there twice: $(cat first)"
grep -q "^disk.raw [0-9]* 444 $user $time $time $time $size " first || fail "disk.raw: $(cat first)"
grep -q "^partitions [0-9]* 555 $user $time $time $time " first || fail "partitions: $(cat first)"
grep -q "^by-partuuid/.* 777 $user $time $time $time .* ../partitions/1.raw$" first || fail "links: $(cat first)"

# Holes: as the image has them, and all that was added but for the 33 sectors of the backup.
/usr/bin/python3 - $size <<'PYTHON' || fail "holes"
import errno, os, sys
size = int(sys.argv[1])

def data(path):
    fd, at, found = os.open(path, os.O_RDONLY), 0, []
    end = os.fstat(fd).st_size
    while at < end:
        try:
            at = os.lseek(fd, at, os.SEEK_DATA)
        except OSError as why:
            assert why.errno == errno.ENXIO, why
            break
        hole = os.lseek(fd, at, os.SEEK_HOLE)
        assert at < hole <= end, (at, hole)
        found += range(at // 512, (hole + 511) // 512)
        at = hole
    for whence in (os.SEEK_DATA, os.SEEK_HOLE):
        try:
            os.lseek(fd, end, whence)
            raise AssertionError("no ENXIO at the end")
        except OSError as why:
            assert why.errno == errno.ENXIO, why
    assert os.fstat(fd).st_blocks == len(set(found)), (path, os.fstat(fd).st_blocks, len(set(found)))
    return set(found)

image, disk = data("holes-512.raw"), data("mnt/disk.raw")
image_end = os.stat("holes-512.raw").st_size // 512
backup = set(range(image_end - 33, image_end))
assert disk - image == set(range(size // 512 - 33, size // 512)), sorted(disk - image)
assert image - disk <= backup | {0, 1}, sorted(image - disk)
for name in os.listdir("mnt/partitions"):
    data("mnt/partitions/" + name)
text = "mnt/layout.txt"
assert os.stat(text).st_blocks * 512 >= os.stat(text).st_size > 0
PYTHON
df --output=size,avail,itotal -B 4096 mnt | tail -n 1 | tr -s ' ' | grep -qx " \?$((size / 4096)) 0 $(wc -l <first)" ||
  fail "df: $(df --output=size,avail,itotal -B 4096 mnt)"
unmount

grown holes-512 size=64M
list | diff first - || fail "another mount looks different"
unmount

largest=$((2 ** 63 - 512))
grown holes-512 size=$largest
[ "$(stat -c %s mnt/disk.raw)" = $largest ] || fail "the largest size"
tail -c 512 mnt/disk.raw | head -c 8 | grep -qx 'EFI PART' || fail "the last sector of the largest disk"
[ "$(stat -c %b mnt/disk.raw)" -lt 20000 ] || fail "the largest disk is not sparse"
unmount
unchanged holes-512
