# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034,SC2154
# Three disks of three sizes, restored from one image at the same time.
disks=("7G raw" "64G qcow2" "10000000000 raw")

check_three_restores_at_the_same_time() {
  local pids=() device pid
  for device in /dev/vda /dev/vdb /dev/vdc; do
    restore "$device" &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do
    wait "$pid"
  done
}
check_first_is_sound() { sound_restore /dev/vda /dev/nbd0; }
check_second_is_sound() { sound_restore /dev/vdb /dev/nbd1; }
check_third_is_sound() { sound_restore /dev/vdc /dev/nbd2; }

host_check_first_equals_the_served_disk() { equals_served 1 7G; }
host_check_second_equals_the_served_disk() { equals_served 2 64G; }
host_check_third_equals_the_served_disk() { equals_served 3 10000000000; }
