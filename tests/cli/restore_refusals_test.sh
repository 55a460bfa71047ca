#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What restore refuses, with which message, and that no byte of the target or the image changes.
. "$(dirname "$0")/common.sh"

image entries-128-512
mv entries-128-512.raw image.raw
head -c 8M /dev/urandom >disk.raw
sgdisk --clear -n1:2048:4000 disk.raw >/dev/null
cp disk.raw disk.before
cp image.raw image.before

disk_is_unchanged() { cmp disk.raw disk.before; }

# refused TEXT COMMAND...
refused() {
  status 2 timeout 20 "${@:2}" </dev/null
  says err "$1"
  disk_is_unchanged || fail "the disk changed: ${*:2}"
  cmp image.raw image.before || fail "the image changed: ${*:2}"
}

refused "without a terminal to ask at, --yes is needed" "$gptgrow" restore image.raw disk.raw
refused "without a terminal to ask at, --yes is needed" "$gptgrow" restore image.raw new.raw --size 8M
[ ! -e new.raw ] || fail "a file was made"

# The image itself
refused "is the image itself" "$gptgrow" restore image.raw image.raw --yes
ln image.raw hard.raw
refused "is the image itself" "$gptgrow" restore image.raw hard.raw --yes
ln -s image.raw soft.raw
refused "is the image itself" "$gptgrow" restore image.raw soft.raw --yes
refused "is the image itself" "$gptgrow" restore soft.raw image.raw --yes

# Sizes
refused "disk.raw: 8388608 bytes (8M), not the size asked for, 16777216 bytes" "$gptgrow" restore image.raw disk.raw --size 16M --yes
refused "not the size asked for" "$gptgrow" restore image.raw disk.raw --reference image.raw --yes
refused "no such file or device; --size SIZE would make a file" "$gptgrow" restore image.raw new.raw --yes
truncate -s 1M small.raw
refused "size 1048576, that of small.raw, is too small" "$gptgrow" restore image.raw small.raw --yes
[ "$(tr -d '\0' <small.raw | wc -c)" = 0 ] || fail "the small disk changed"
truncate -s 8388609 odd.raw
refused "is not a multiple of the 512-byte sector" "$gptgrow" restore image.raw odd.raw --yes
: >empty.raw
refused "empty.raw: 0 bytes" "$gptgrow" restore image.raw empty.raw --size 8M --yes
refused "0 bytes long" "$gptgrow" restore image.raw empty.raw --yes
refused "neither a regular file nor a block device" "$gptgrow" restore image.raw . --yes
refused "neither a regular file nor a block device" "$gptgrow" restore image.raw /dev/null --yes
refused "missing.raw: No such file" "$gptgrow" restore missing.raw disk.raw --yes
refused "no GPT" "$gptgrow" restore small.raw disk.raw --yes
refused "expected discard, zero or keep" "$gptgrow" restore image.raw disk.raw --yes --free-space some

# Maps
refused "is image.raw itself" "$gptgrow" restore image.raw disk.raw --yes --map image.raw
refused "is disk.raw itself" "$gptgrow" restore image.raw disk.raw --yes --map ./disk.raw
refused "is new.raw itself" "$gptgrow" restore image.raw new.raw --size 8M --yes --map "$PWD/new.raw"
refused "no map of a restore" "$gptgrow" restore image.raw disk.raw --yes --map small.raw
refused "nowhere/map: No such file" "$gptgrow" restore image.raw disk.raw --yes --map nowhere/map
cp disk.raw other.raw
killed=0
strace -f -qq -o /dev/null -e trace=fsync -e inject=fsync:signal=KILL:when=9 \
  "$gptgrow" restore image.raw other.raw --yes --map map >/dev/null 2>&1 || killed=$?
[ $killed = 137 ] && [ -s map ] || fail "no unfinished restore"
cp other.raw unfinished.raw
refused "does not hold what that one left there" "$gptgrow" restore image.raw disk.raw --yes --map map
cp image.raw changed.raw
refused "was another image, or has been changed since" "$gptgrow" restore changed.raw other.raw --yes --map map
refused "was another image" "$gptgrow" restore image.raw other.raw --yes --map map --old-backup keep
refused "with free space discard" "$gptgrow" restore image.raw other.raw --yes --map map --free-space zero
echo ',4M' | sfdisk -q --label dos --wipe never other.raw >/dev/null
refused "does not hold what that one left there" "$gptgrow" restore image.raw other.raw --yes --map map
cp unfinished.raw other.raw
head -c 300 map >cut.map
refused "damaged or cut off" "$gptgrow" restore image.raw other.raw --yes --map cut.map
sed 's/^0x00000000  0x/0x00000001  0x/' map >wrong.map
refused "damaged: line" "$gptgrow" restore image.raw other.raw --yes --map wrong.map
echo precious | tee map.new >map.tmp
status 0 "$gptgrow" restore image.raw other.raw --yes --map map
[ ! -e map ] || fail "the map of a finished restore is left"
[ "$(cat map.new map.tmp | sort -u)" = precious ] || fail "a file beside the map was overwritten"

# A file that another program has locked
exec 9<disk.raw
flock 9
refused "locked by another program" "$gptgrow" restore image.raw disk.raw --yes
exec 9<&-
mkfifo hold
qemu-io -f raw disk.raw <hold >/dev/null &
exec 8>hold
until grep -q ":$(stat -c %i disk.raw) " /proc/locks; do sleep 0.05; done
refused "locked by another program" "$gptgrow" restore image.raw disk.raw --yes
exec 8>&-
wait

# Devices
[ "$(id -u)" = 0 ] || exit 0
loop_device image.raw
refused "in use by $device" "$gptgrow" restore disk.raw image.raw --yes
refused "is the image itself" "$gptgrow" restore image.raw "$device" --yes
refused "is the image itself" "$gptgrow" restore hard.raw "$device" --yes
# ... whose name is gone
cp image.raw gone.raw
loop_device gone.raw
ln gone.raw kept.raw
rm gone.raw
refused "is the image itself" "$gptgrow" restore kept.raw "$device" --yes
refused "in use by $device" "$gptgrow" restore image.raw kept.raw --yes
losetup -d "$device"
device=${devices[0]}
over=$device
loop_device "$over"
refused "is the image itself" "$gptgrow" restore image.raw "$device" --yes
losetup -d "$device"
losetup -d "$over"
devices=()

loop_device disk.raw
refused "in use by $device" "$gptgrow" restore image.raw disk.raw --yes
refused "without a terminal to ask at, --yes is needed" "$gptgrow" restore image.raw "$device"
mkfs.ext4 -q "$device" 4M
cp disk.raw disk.before
mkdir mnt
mount -o ro "$device" mnt || { echo "cannot mount here" >&2; exit 77; }
refused "in use: $device is mounted on $PWD/mnt" "$gptgrow" restore image.raw "$device" --yes
"$tests/while_busy.sh" umount mnt
# The kernel may write to all of its swap space but the first page, at any time: it gets the least that it takes.
page=$(getconf PAGE_SIZE)
swap_bytes=$((10 * page))
mkswap "$device" $((swap_bytes / 1024)) >/dev/null
if swapon "$device" 2>/dev/null; then
  cp disk.raw disk.before
  (
    disk_is_unchanged() { cmp -n "$page" disk.raw disk.before && cmp -i "$swap_bytes" disk.raw disk.before; }
    refused "in use: $device is swap space" "$gptgrow" restore image.raw "$device" --yes
  )
  swapoff "$device"
fi
detach

# The two in the wrong order: the image would be lost.
cp image.before disk.raw
truncate -s 24M disk.raw
cp image.before backup.raw
truncate -s 24M backup.raw
cp disk.raw disk.before
loop_device disk.raw
refused "are the two the wrong way round" "$gptgrow" restore "$device" backup.raw --yes
cmp backup.raw disk.before || fail "a file that holds partitions was overwritten"
status 0 "$gptgrow" restore "$device" backup.raw --yes --yes
detach

# A table for sectors of another size
loop_device disk.raw --sector-size 4096
refused "sectors of 4096 bytes, expected 512 as in the table of image.raw" "$gptgrow" restore image.raw "$device" --yes
status 0 "$gptgrow" restore image.raw "$device" --yes --sector-size 512
detach

# A partition
cp image.before disk.raw
truncate -s 24M disk.raw
cp disk.raw disk.before
loop_device disk.raw --partscan
"$tests/cli/loop_partition.py" add "$device" 1 2048 40000
refused "is a partition, not a disk" "$gptgrow" restore image.raw "${device}p1" --yes
refused "is the image itself, $device, or a part of it" "$gptgrow" restore "$device" "${device}p1" --yes --yes
refused "is the image itself" "$gptgrow" restore "${device}p1" "$device" --yes
status 0 "$gptgrow" restore image.raw "${device}p1" --yes --yes
"$tests/cli/loop_partition.py" delete "$device" 1
