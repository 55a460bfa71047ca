# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034,SC2154
# A restored disk whose gap was closed afterwards: diagnosed, repaired, and the kernel finds each partition again.
disks=("7G raw")

prepare() {
  copy_plainly /dev/vda
  sgdisk -e /dev/vda
  sgdisk --sort /dev/vda
  rescan /dev/vda
}

check_damaged_disk_has_its_parts_in_other_slots() { [ -b /dev/vda4 ] && ! has_esxi5_nodes /dev/vda; }
check_compare_names_the_pattern() {
  local status=0
  gptgrow compare "$image" /dev/vda >/run/compared || status=$?
  [ $status = 1 ]
  grep -q 'entries sorted\|gap closed' /run/compared
}
check_repair_without_apply_writes_nothing() {
  local before status=0
  before=$(head -c 1M /dev/vda | sha256sum)
  gptgrow repair /dev/vda --from "$image" || status=$?
  [ $status = 1 ]
  [ "$(head -c 1M /dev/vda | sha256sum)" = "$before" ]
}
check_repair_tells_the_kernel() {
  gptgrow repair /dev/vda --from "$image" --apply --save-undo /run/undo
  wait_for_kernel /dev/vda
  has_esxi5_nodes /dev/vda
}
check_repaired_disk_is_sound() { sound_esxi5_disk /dev/vda; }
check_compare_says_same() { gptgrow compare "$image" /dev/vda; }
host_check_repaired_disk_equals_the_served_disk() { equals_served 1 7G; }
