# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034,SC2154
# Disks with logical sectors of 4096 bytes; here the image is itself a disk.
disks=("128M raw 4096" "200M raw 4096" "200M raw 4096" "200M raw 4096")
image=/dev/vda

make_image() {
  sgdisk -a 1 -n 1:8:255 -n 5:256:10495 -n 3:10496:0 -t 5:0700 /dev/vda
  mkfs.fat -F 16 -S 4096 /dev/vda5
  mount -t vfat /dev/vda5 /mnt
  seq 100000 | gzip >/mnt/state.tgz
  umount /mnt
}

prepare() {
  serve grown reference=/dev/vdb
  attach grown /dev/nbd0 -b 4096
}

check_served_disk_has_sectors_of_4096() { [ "$(blockdev --getss /dev/nbd0)" = 4096 ]; }
check_kernel_is_silent() { kernel_is_silent; }
check_nodes_are_the_image_ones() {
  [ "$(nodes /dev/vda | wc -l)" = 3 ]
  [ "$(nodes /dev/nbd0)" = "$(nodes /dev/vda)" ]
}
check_dd_copies() { dd if=/dev/nbd0 of=/dev/vdb bs=4M; }
check_copy_equals_the_served_disk() { cmp /dev/nbd0 /dev/vdb; }
check_copy_is_a_sound_disk() {
  rescan /dev/vdb
  kernel_is_silent
  [ "$(nodes /dev/vdb)" = "$(nodes /dev/vda)" ]
  sound /dev/vdb
  [ "$(bank_sum /dev/vdb5)" = "$(bank_sum /dev/vda5)" ]
}
check_restore_command_from_disk_to_disk() { gptgrow restore /dev/vda /dev/vdd --yes; }
check_disk_of_the_restore_command_equals_the_served_disk() { cmp /dev/nbd0 /dev/vdd; }
check_restore_command_told_the_kernel() { [ "$(nodes /dev/vdd)" = "$(nodes /dev/vda)" ]; }
check_control_image_alone_makes_the_kernel_complain() {
  copy_plainly /dev/vdc
  rescan /dev/vdc
  kernel_complains
}
