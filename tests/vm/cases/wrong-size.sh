# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034,SC2154
# A device that is a sector smaller or larger than size= says, which is what goes wrong first, and reference=.
disks=("7516192256 raw" "7516193280 raw" "7516192256 raw" "7516193280 raw")

restore_at_7_gib() { nbdkit -U - gptgrow "$image" size=7G --run "nbdcopy \"\$uri\" $1"; }

check_device_one_sector_smaller_is_not_written() {
  if restore_at_7_gib /dev/vda; then return 1; fi
  cmp -n 1048576 /dev/zero /dev/vda
}
check_device_one_sector_larger_makes_the_kernel_complain() {
  restore_at_7_gib /dev/vdb
  rescan /dev/vdb
  kernel_complains
}
check_line_of_the_readme_restores_the_smaller() {
  grep -m 1 '^ *nbdkit -U - gptgrow .* reference=/dev/.* --run ' /case/README.md |
    sed -E "s,gptgrow [^ ]+,gptgrow $image,; s,/dev/sd[a-z],/dev/vdc,g" >/run/readme-line
  # shellcheck source=/dev/null
  . /run/readme-line
  sound_esxi5_disk /dev/vdc
}
check_reference_restores_the_larger() {
  restore /dev/vdd
  sound_esxi5_disk /dev/vdd
}
host_check_smaller_equals_the_served_disk() { equals_served 3 7516192256; }
host_check_larger_equals_the_served_disk() { equals_served 4 7516193280; }
