# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034,SC2154
# The restore of the README, without nbd-client, onto devices of many sizes.
disks=("6442451456 raw" "64G qcow2" "3T qcow2" "6G raw")

check_one_sector_more_than_the_image_restores() { restore /dev/vda; }
check_one_sector_more_than_the_image_is_sound() { sound_restore /dev/vda /dev/nbd0; }
host_check_one_sector_more_than_the_image_equals_the_served_disk() { equals_served 1 6442451456; }

check_64_gib_restore() { restore /dev/vdb; }
check_64_gib_are_sound() { sound_restore /dev/vdb /dev/nbd1; }
host_check_64_gib_equal_the_served_disk() { equals_served 2 64G; }

check_3_tib_restore() { restore /dev/vdc; }
check_3_tib_are_sound() { sound_restore /dev/vdc /dev/nbd2; }
host_check_3_tib_equal_the_served_disk() { equals_served 3 3T; }

# A disk that has grown, as an image, onto one so small that the last partition only just fits.
check_smaller_disk_restores() {
  nbdkit -U - gptgrow "$image" size=64G --run "nbdcopy \"\$uri\" /images/grown.img"
  image=/images/grown.img
  restore /dev/vdd
}
check_smaller_disk_is_sound() { sound_esxi5_disk /dev/vdd; }
host_check_smaller_disk_is_the_first_image_again() { equals_image 4; }
