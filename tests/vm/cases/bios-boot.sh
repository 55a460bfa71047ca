# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034,SC2154
# A BIOS boots the restored disk, and the system finds its boot bank by slot number. The controls are the same disk
# with other tools in gptgrow's place.
image_name=bootable
disks=("7G raw" "7G raw" "7G raw" "7G raw")

check_restore() { restore /dev/vda; }
# All of the MBR but the length of the protective record: code, disk signature, active flag.
check_restored_disk_keeps_the_mbr() { cmp -n 458 "$image" /dev/vda; }
host_check_restored_disk_boots_and_finds_the_newer_bank() {
  boot 1 | grep '^BOOT: bank in slot 5, Example bank in slot 5, host esxi-example'
}

check_restore_command() { gptgrow restore "$image" /dev/vdd --yes; }
host_check_disk_of_the_restore_command_boots_and_finds_the_newer_bank() {
  boot 4 | grep '^BOOT: bank in slot 5, Example bank in slot 5, host esxi-example'
}
host_check_disk_of_the_restore_command_equals_the_served_disk() { equals_served 4 7G; }

check_control_backup_moved_by_sgdisk() {
  copy_plainly /dev/vdb
  sgdisk -e /dev/vdb
}
# SeaBIOS starts a disk without an active record; other firmware does not.
check_control_backup_moved_by_sgdisk_loses_the_active_flag() {
  cmp -n 440 "$image" /dev/vdb
  cmp -i 446 -n 1 /dev/zero /dev/vdb
}
host_check_control_backup_moved_by_sgdisk_boots_under_seabios() { boot 2 | grep '^BOOT: bank in slot 5'; }

check_control_gap_closed_by_sgdisk() {
  copy_plainly /dev/vdc
  sgdisk -e /dev/vdc
  sgdisk --sort /dev/vdc
}
host_check_control_gap_closed_loses_the_banks() {
  boot 3 >"$work/gap-closed"
  grep '^BOOT: no boot bank in slot 5' "$work/gap-closed"
  grep '^BOOT: done' "$work/gap-closed"
}
