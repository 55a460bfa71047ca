# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034,SC2154
# restore without a target, at a terminal: of five disks, two are in use and one is too small.
disks=("10M raw" "10M raw" "10M raw" "12M raw" "1M raw")
image=/images/small.img

make_image() {
  seq 292000 >"$image"
  truncate -s 2M "$image"
  printf '%s\n' "label: gpt" "first-lba: 64" "1: start=64, size=1000" "5: start=2564, size=1000" |
    sfdisk -q --wipe always "$image"
}

prepare() {
  mkdir -p /dev/pts
  mount -t devpts devpts /dev/pts
  modprobe ext4 2>/dev/null || true
  mke2fs -q /dev/vda
  mkdir -p /mnt/used
  mount /dev/vda /mnt/used
  mkswap /dev/vdb >/dev/null
  swapon /dev/vdb
}

# typed LINE ...: what the terminal shows while these are typed, and the exit status in $status.
typed() {
  status=0
  printf '%s\n' "$@" | script -q -e -c "gptgrow restore $image" /dev/null >/run/shown || status=$?
  tr -d '\r' </run/shown | tee /run/shown.lines
}
shown() { grep -q "$1" /run/shown.lines; }

check_disks_in_use_are_shown_with_the_reason() {
  typed nothing
  [ $status = 2 ]
  shown "not this one: /dev/vda is mounted on /mnt/used"
  shown "not this one: /dev/vdb is swap space"
  shown "^ *1  /dev/vdc  *10M  .*virtio"
  shown "^ *2  /dev/vdd  *12M  "
}
check_a_disk_that_is_too_small_is_shown_with_the_reason() { shown "not this one: .* is too small: "; }
check_another_answer_writes_nothing() {
  local answer
  for answer in "" 0 3 vda /dev/vdb vde; do
    typed "$answer"
    [ $status = 2 ]
    shown "is none of them: nothing is written"
  done
  cmp -n $((10 << 20)) /dev/vdc /dev/zero
}
check_a_number_is_confirmed_and_restored() {
  typed 1 vdd
  [ $status = 2 ]
  cmp -n $((10 << 20)) /dev/vdc /dev/zero
  typed 1 vdc
  [ $status = 0 ]
  gptgrow verify "$image" /dev/vdc
}
check_a_name_is_confirmed_and_restored() {
  typed vdd vdd
  [ $status = 0 ]
  gptgrow verify "$image" /dev/vdd
}
check_what_is_no_disk_is_not_offered() {
  modprobe -a brd zram dm-mod
  modprobe lzo-rle || true  # built into zram of later kernels
  echo 10M >/sys/block/zram0/disksize
  dmsetup create none --table "0 20480 error"
  dmsetup create over --table "0 20480 linear /dev/vdd 0"
  losetup /dev/loop0 "$image"
  typed nothing
  [ $status = 2 ]
  shown "not this one: /dev/vdd is a part of "
  shown "^ *1  /dev/vdc "
  [ "$(grep -cE "/dev/(dm-|ram|zram|loop)" /run/shown.lines)" = 0 ]
  losetup -d /dev/loop0
  dmsetup remove over
  dmsetup remove none
}
check_the_disk_that_holds_the_image_is_not_offered() {
  image=/dev/vdd typed nothing
  [ $status = 2 ]
  shown "not this one: holds the image"
  printf '%s\n' "label: gpt" "2048,16384" | sfdisk -q --wipe always /dev/vdc
  cat "$image" >/dev/vdc1
  image=/dev/vdc1 typed nothing
  [ $status = 2 ]
  shown "not this one: holds the image"
}
check_a_disk_of_other_sectors_is_not_offered() {
  truncate -s 2M /images/4096.img
  losetup --sector-size 4096 /dev/loop0 /images/4096.img
  printf '%s\n' "label: gpt" "64,64" | sfdisk -q /dev/loop0
  losetup -d /dev/loop0
  image=/images/4096.img typed nothing
  [ $status = 2 ]
  shown "not this one: has sectors of 512 bytes, and the table of the image is for 4096"
  image="/images/4096.img --sector-size 4096" typed nothing
  [ $status = 2 ]
  shown "^ *2  /dev/vdd "
}
check_disks_in_use_are_unchanged() {
  umount /mnt/used
  swapoff /dev/vdb
  mount /dev/vda /mnt/used
  umount /mnt/used
  [ "$(dd if=/dev/vdb bs=1 skip=4086 count=10 2>/dev/null)" = SWAPSPACE2 ]
}
