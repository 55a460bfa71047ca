# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034,SC2154
# A disk is restored and repaired among others that are in use, each in another way: they keep every byte.
disks=("8M raw" "6M raw" "6M raw" "6M raw" "6M raw" "6M raw" "6M raw" "6M raw" "6M raw" "6M raw")
image=/images/small.img
# shellcheck source=/dev/null
[ ! -e /hold.sh ] || . /hold.sh

make_image() {
  seq 292000 >"$image"
  truncate -s 2M "$image"
  printf '%s\n' "label: gpt" "first-lba: 64" "1: start=64, size=1000" "2: start=1064, size=1000" "3: start=2064, size=500" \
    "5: start=2564, size=1000" | sfdisk -q --wipe always "$image"
}

# ext4 and vfat, swap space, the two members of a RAID, an encrypted disk, a volume group, a loop device over a file, and a
# disk that is only full.
prepare() {
  load_holders
  make_ext4 /dev/vdb
  mkdir -p /mnt/{vfat,loop}
  mount -o ro /dev/vdb /mnt/held
  mkfs.fat /dev/vdc
  mount -t vfat -o ro /dev/vdc /mnt/vfat
  hold_swap /dev/vdd
  make_md 1 /dev/vde /dev/vdf
  hold_crypt /dev/vdg
  hold_volume /dev/vdh
  make_ext4 /dev/vdi
  mount /dev/vdi /mnt/inner
  truncate -s 1M /mnt/inner/file
  make_ext4 /mnt/inner/file
  losetup -r /dev/loop6 /mnt/inner/file
  mount -o ro /dev/loop6 /mnt/loop
  mount -o remount,ro /mnt/inner
  seq 1000000 >/run/numbers
  dd if=/run/numbers of=/dev/vdj bs=1M count=6 conv=fsync
  sync
  sums >/run/sums
  [ "$(sort -u /run/sums | wc -l)" = 9 ]
}

# From the media: a write to a wrong disk need not pass its cache.
sums() {
  echo 1 >/proc/sys/vm/drop_caches
  sha256sum /dev/vd[b-j]
}
neighbours_are_unchanged() { sums | cmp - /run/sums; }
neighbours_are_still_in_use() {
  [ "$(grep -c '^/dev/\(vdb\|vdc\|vdi\|loop6\) ' /proc/mounts)" = 4 ]
  grep '^/dev/vdd ' /proc/swaps
  [ -e /sys/block/vde/holders/md127 ]
  [ "$(echo /sys/block/vd[gh]/holders/dm-* | wc -w)" = 2 ]
}

check_neighbours_are_in_use() { neighbours_are_still_in_use; }
check_disk_restores_and_verifies() { gptgrow restore "$image" /dev/vda --yes; }
check_restored_disk_is_what_is_served() {
  serve grown size=8M
  nbdcopy "$(uri grown)" /run/served
  echo 1 >/proc/sys/vm/drop_caches
  cmp /run/served /dev/vda
  [ "$(echo /sys/block/vda/vda?)" = "$(echo /sys/block/vda/vda{1,2,3,5})" ]
}
check_neighbours_are_unchanged_by_the_restore() { neighbours_are_unchanged; }
check_disk_repairs() {
  # Another tool has closed the gap in front of slot 5.
  sgdisk --sort /dev/vda
  [ -e /sys/block/vda/vda4 ]
  gptgrow repair /dev/vda --from "$image" --apply --save-undo /run/undo
}
check_repaired_disk_is_what_is_served() {
  echo 1 >/proc/sys/vm/drop_caches
  cmp /run/served /dev/vda
  [ "$(echo /sys/block/vda/vda?)" = "$(echo /sys/block/vda/vda{1,2,3,5})" ]
}
check_neighbours_are_unchanged_by_the_repair() { neighbours_are_unchanged; }
check_neighbours_are_in_use_to_the_end() { neighbours_are_still_in_use; }
