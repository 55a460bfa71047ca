# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034,SC2154
# A boot bank loop-mounted from the files that gptgrow-fuse shows of the grown disk.
prepare() {
  mkdir -p /mnt/grown
  gptgrow-fuse "$image" /mnt/grown -o size=2T
}

check_disk_has_its_size() { [ "$(stat -c %s /mnt/grown/disk.raw)" = $((2 << 40)) ]; }
check_one_file_for_each_used_slot() {
  [ "$(cd /mnt/grown/partitions && echo *)" = "1.raw 2.raw 3.raw 5.raw 6.raw 7.raw 8.raw" ]
}
check_banks_mount_from_their_files() {
  [ "$(bank_sum /mnt/grown/partitions/5.raw loop)" = "$(image_bank_sum 8224)" ]
  [ "$(bank_sum /mnt/grown/partitions/6.raw loop)" = "$(image_bank_sum 520224)" ]
}
check_unmounts() {
  umount /mnt/grown
  [ ! -e /mnt/grown/disk.raw ]
}
