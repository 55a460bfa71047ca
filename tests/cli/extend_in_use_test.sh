#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A disk is extended while its partitions are mounted: the kernel is told of one partition, the command that grows its file
# system has its real names, and what shares a page of the disk's cache with the table, and was written since, stays.
. "$(dirname "$0")/common.sh"

[ "$(id -u)" = 0 ] || { echo "needs root, for a loop device" >&2; exit 77; }
truncate -s 64M disk.raw
sgdisk -a 1 -n 1:34:2047 -n 3:2048:40959 -n 7:40960:100006 disk.raw >/dev/null
truncate -s 96M disk.raw
loop_device disk.raw
partition() { "$tests/cli/loop_partition.py" "$@"; }
# Who had the device before may have left some.
forget() {
  local number
  cat "/sys/class/block/${device##*/}"/*/partition 2>/dev/null | while read -r number; do
    partition delete "$device" "$number"
  done || true
}
forget
partition add "$device" 1 34 2014
partition add "$device" 3 2048 38912
partition add "$device" 7 40960 59047
trap 'umount -l mnt 2>/dev/null || true; forget; detach; rm -rf "$scratch"' EXIT
mkfs.ext4 -q "${device}p7"
mkdir mnt
mount "${device}p7" mnt 2>/dev/null || { echo "cannot mount here" >&2; exit 77; }

# The last sectors of the array and the first of partition 1 are in one page.
dd if="$device" of=/dev/null bs=64k count=1 status=none
head -c $((2014 * 512)) /dev/zero | tr '\0' x | dd of="${device}p1" bs=512 conv=fsync status=none
status 0 "$gptgrow" extend "$device" last --apply --save-undo undo
says out "slot 7 holds ext4; to grow it: resize2fs ${device}p7 (mounted or not)"
says err "it can be put back until slot 7 is grown, and only while nothing of the disk is mounted or in use"
! grep -q note: err || fail "the kernel was not told: $(cat err)"
[ "$(cat "/sys/class/block/${device##*/}p7/size")" = $(((96 * 2048 - 34) / 8 * 8 - 40960)) ] || fail "the kernel's size"
[ "$(cat "/sys/class/block/${device##*/}p3/size")" = 38912 ] || fail "another partition changed"
status 0 "$gptgrow" extend "$device" 7 --apply
says out "slot 7 ends at LBA 196567 already"

# repair goes on to want the disk alone, also to put it back.
status 2 "$gptgrow" repair "$device" --undo undo --apply
says err "${device}p7 is mounted on"
"$tests/while_busy.sh" umount mnt
[ "$(dd if="${device}p1" bs=512 count=2014 status=none | tr -d x | wc -c)" = 0 ] || fail "bytes of partition 1 are lost"
sync "$device"
[ "$(dd if=disk.raw bs=512 skip=34 count=2014 status=none | tr -d x | wc -c)" = 0 ] || fail "bytes of partition 1 are lost"
e2fsck -fn "${device}p7" >/dev/null 2>&1 || fail "the file system is damaged"
sgdisk --verify "$device" | grep -q "No problems found" || fail "sgdisk finds problems"

# A RAID member that is known by its end, of no array that runs, also where another partition is in use.
truncate -s 112M disk.raw
losetup -c "$device"
size=$(blockdev --getsize64 "${device}p7")
printf '\374\116\53\251\0\0\0\0\132\0\0\0\3\0\0\0' |
  dd of="${device}p7" bs=65536 seek=$((size / 65536 - 1)) conv=fsync,notrunc status=none
status 2 "$gptgrow" extend "$device" 7 --apply
says err "slot 7 holds linux_raid_member 0.90.3; to grow it: mdadm --grow ARRAY --size=max (at once, while the array runs"
says err "nothing that runs has it now: nothing is written"
