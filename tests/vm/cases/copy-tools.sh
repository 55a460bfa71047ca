# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034,SC2154
# The tools that people copy disks with, from the served disk to a device of its size.
disks=("7G raw" "7G raw" "7G raw")

prepare() {
  serve grown reference=/dev/vda
  attach grown /dev/nbd0
}

check_dd_copies() { dd if=/dev/nbd0 of=/dev/vda bs=4M iflag=direct oflag=direct; }
check_dd_copy_holds_the_data_and_the_tail() { same_data grown /dev/nbd0 /dev/vda; }
check_dd_copy_is_a_sound_disk() { sound_esxi5_disk /dev/vda; }
host_check_dd_copy_equals_the_served_disk() { equals_served 1 7G; }

check_ddrescue_copies() { ddrescue --force --idirect --odirect --cluster-size=8192 /dev/nbd0 /dev/vdb; }
check_ddrescue_copy_holds_the_data_and_the_tail() { same_data grown /dev/nbd0 /dev/vdb; }
check_ddrescue_copy_is_a_sound_disk() { sound_esxi5_disk /dev/vdb; }
host_check_ddrescue_copy_equals_the_served_disk() { equals_served 2 7G; }

check_cp_copies() { cp /dev/nbd0 /dev/vdc; }
check_cp_copy_holds_the_data_and_the_tail() { same_data grown /dev/nbd0 /dev/vdc; }
check_cp_copy_is_a_sound_disk() { sound_esxi5_disk /dev/vdc; }
host_check_cp_copy_equals_the_served_disk() { equals_served 3 7G; }
