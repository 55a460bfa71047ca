# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034,SC2154
# gptgrow restore onto devices of many sizes: the kernel sees each partition at once, and every byte is what the plugin
# serves.
disks=("6G raw" "64G qcow2" "3T qcow2" "6G raw" "2G raw" "7G raw")

check_exact_size_restores_and_verifies() {
  dmesg -c >/dev/null
  gptgrow restore "$image" /dev/vda --yes --map /run/map
}
check_kernel_was_told_and_is_silent() {
  wait_for_kernel /dev/vda
  kernel_is_silent
  has_esxi5_nodes /dev/vda
}
check_exact_size_is_sound() { sound_esxi5_disk /dev/vda; }
host_check_exact_size_is_the_image() { equals_image 1; }

check_64_gib_restore() { gptgrow restore "$image" /dev/vdb --yes --no-verify; }
check_64_gib_are_sound() { sound_esxi5_disk /dev/vdb; }
host_check_64_gib_equal_the_served_disk() { equals_served 2 64G; }

check_3_tib_restore() { gptgrow restore "$image" /dev/vdc --yes --no-verify; }
check_3_tib_are_sound() { sound_esxi5_disk /dev/vdc; }
host_check_3_tib_equal_the_served_disk() { equals_served 3 3T; }

# A disk that has grown, as the image, onto one so small that the last partition only just fits.
check_smaller_disk_restores() {
  gptgrow restore "$image" /images/grown.img --size 64G --yes
  gptgrow restore /images/grown.img /dev/vdd --yes --no-verify
}
check_smaller_disk_is_sound() { sound_esxi5_disk /dev/vdd; }
host_check_smaller_disk_is_the_image_again() { equals_image 4; }

refused() {
  local status=0
  "$@" 2>/run/refused || status=$?
  cat /run/refused
  [ $status = 2 ]
}
check_too_small_disk_is_refused_and_untouched() {
  refused gptgrow restore "$image" /dev/vde --yes
  grep 'too small: slot 3 ends' /run/refused
  cmp -n 1048576 /dev/zero /dev/vde
}
check_mounted_disk_is_refused_and_untouched() {
  local before
  before=$(head -c 1M /dev/vda | sha256sum)
  mkdir -p /mnt/bank
  mount -t vfat -o ro /dev/vda5 /mnt/bank
  refused gptgrow restore "$image" /dev/vda --yes
  grep '/dev/vda5 is mounted on /mnt/bank' /run/refused
  umount /mnt/bank
  [ "$(head -c 1M /dev/vda | sha256sum)" = "$before" ]
}
check_partition_needs_yes_twice() {
  sgdisk -n 1:2048:0 /dev/vdf
  rescan /dev/vdf
  refused gptgrow restore "$image" /dev/vdf1 --yes
  grep 'is a partition, not a disk' /run/refused
  cmp -n 1048576 /dev/zero /dev/vdf1
}
check_verify_finds_what_an_operating_system_did() {
  local status=0
  gptgrow restore "$image" /dev/vdf --yes --no-verify
  gptgrow verify "$image" /dev/vdf --table-only
  sgdisk -e /dev/vdf
  sgdisk --sort /dev/vdf
  gptgrow verify "$image" /dev/vdf --table-only >/run/verified || status=$?
  cat /run/verified
  [ $status = 1 ]
  grep 'gap closed\|entries sorted' /run/verified
}
