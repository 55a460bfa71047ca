# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034,SC2154
# The tools that people copy disks with, from the served disk to a device of its size. The image is small: these tools copy
# zeros as they copy data, and restore-sizes.sh has large disks.
disks=("48M raw" "64M raw" "64M raw" "64M raw")
image=/dev/vda

make_image() {
  sgdisk -a 1 -n 1:64:2047 -n 5:2048:67583 -n 3:67584:0 -t 5:0700 /dev/vda
  mkfs.fat -F 16 /dev/vda5
  mount -t vfat /dev/vda5 /mnt
  seq 100000 | gzip >/mnt/state.tgz
  umount /mnt
}

prepare() {
  serve grown reference=/dev/vdb
  attach grown /dev/nbd0
}

# The kernel finds each partition at once, every byte is there, and the partitions are what they were.
is_the_served_disk() {
  cmp /dev/nbd0 "$1"
  rescan "$1"
  kernel_is_silent
  [ "$(nodes "$1" | wc -l)" = 3 ]
  [ "$(nodes "$1")" = "$(nodes /dev/vda)" ]
  sound "$1"
  [ "$(bank_sum "${1}5")" = "$(bank_sum /dev/vda5)" ]
}

check_dd_copies() { dd if=/dev/nbd0 of=/dev/vdb bs=4M iflag=direct oflag=direct; }
check_dd_copy_is_the_served_disk() { is_the_served_disk /dev/vdb; }
check_ddrescue_copies() { ddrescue --force --idirect --odirect --cluster-size=8192 /dev/nbd0 /dev/vdc; }
check_ddrescue_copy_is_the_served_disk() { is_the_served_disk /dev/vdc; }
check_cp_copies() { cp /dev/nbd0 /dev/vdd; }
check_cp_copy_is_the_served_disk() { is_the_served_disk /dev/vdd; }
