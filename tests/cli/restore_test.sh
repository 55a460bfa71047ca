#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The disks of ESXi 5, 6 and 7, and one with sectors of 4096 bytes, restored to new files, to files, and to loop devices
# with either sector size: each equals what the plugin serves, by io_uring and by threads.
. "$(dirname "$0")/common.sh"

# equals_served IMAGE TARGET
equals_served() {
  nbdkit -U - "$GPTGROW_PLUGIN" "$1" reference="$2" --run "qemu-img compare -q -f raw -F raw \"\$uri\" '$2'" ||
    fail "$2 is not what the plugin serves of $1"
}

# restored IMAGE TARGET OPTION...
restored() {
  status 0 "${engine[@]}" "$gptgrow" restore "$1" "$2" --yes "${@:3}"
  equals_served "$1" "$2"
}

for release in esxi5 esxi6 esxi7; do
  "$tests/../examples/esxi5-image.sh" "$release.raw" "$release"
done
image entries-128-4096

for engine in "" "$tests/cli/without_io_uring.py"; do
  engine=(${engine:+"$engine"})
  for release in esxi5 esxi6 esxi7; do
    rm -f target.raw
    restored $release.raw target.raw --size 7G
    says out "table: same"
    # What is there is overwritten, and a file keeps its size.
    restored esxi5.raw target.raw
    says err "holds now, and will lose"
    rm target.raw
    restored $release.raw target.raw --reference $release.raw
    qemu-img compare -q -f raw -F raw target.raw $release.raw || fail "a disk of the image's size is not the image"
  done
done
engine=()

# Only what is data takes space.
rm target.raw
restored esxi5.raw target.raw --size 64G
[ "$(du -k target.raw | cut -f1)" -le $(($(du -k esxi5.raw | cut -f1) + 1024)) ] || fail "$(du -k target.raw esxi5.raw)"

# Back to a smaller disk
rm -f smaller.raw
restored target.raw smaller.raw --size 6G
qemu-img compare -q -f raw -F raw smaller.raw esxi5.raw || fail "grown and shrunk is not the image"

# A file system, a RAID member and LVM in the free space are named and wiped, even where the space is kept.
rm target.raw
truncate -s 7G target.raw
sgdisk -a 1 -n 1:13000000:13400000 -n 2:13500000:13600000 target.raw >/dev/null
mkfs.ext4 -q -L old-stuff -E offset=$((13000000 * 512)) target.raw 200M
mkfs.fat -F 16 -n OLDFAT --offset 13500000 target.raw 50000 >/dev/null 2>&1
restored_kept() {
  status 0 "$gptgrow" restore esxi5.raw target.raw --yes --free-space keep
}
restored_kept
says err 'wiped behind the image: ext4 "old-stuff"'
says err 'wiped behind the image: vfat "OLDFAT"'
for place in 13000000 13500000; do
  [ -z "$(blkid -p -o value -s TYPE -O $((place * 512)) target.raw)" ] || fail "a signature is left at LBA $place"
done
status 1 "$gptgrow" verify esxi5.raw target.raw --free-space
says out "free space"
status 0 "$gptgrow" verify esxi5.raw target.raw
restored esxi5.raw target.raw --free-space zero

loop_device target.raw
status 0 "$gptgrow" restore esxi7.raw "$device" --yes
detach
equals_served esxi7.raw target.raw
rm target.raw
head -c 64M /dev/urandom >target.raw
loop_device target.raw --sector-size 4096
restored entries-128-4096.raw "$device"
status 0 "$gptgrow" verify entries-128-4096.raw "$device"
detach
