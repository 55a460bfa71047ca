# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034,SC2154
# The kernel reads the table of the served disk as it reads any disk's, and has nothing to say about it.
disks=("7G raw")

prepare() {
  serve grown reference=/dev/vda
  attach grown /dev/nbd0
}

check_served_disk_has_the_device_size() { [ "$(blockdev --getsize64 /dev/nbd0)" = $((7 << 30)) ]; }
check_kernel_is_silent() { kernel_is_silent; }
check_no_node_p4() { [ -b /dev/nbd0p3 ] && [ ! -e /dev/nbd0p4 ] && [ -b /dev/nbd0p5 ]; }
check_nodes_with_their_starts_and_sizes() { has_esxi5_nodes /dev/nbd0; }

check_control_image_alone_makes_the_kernel_complain() {
  copy_plainly /dev/vda
  rescan /dev/vda
  kernel_complains
}
