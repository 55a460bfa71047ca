#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# attach_loop.sh FILE [losetup options]: prints the loop device.
# One at a time: losetup opens for writing what it has found free, and that may by then be the device of another test.
file=$1
shift
exec flock /dev/loop-control losetup --find --show "$@" "$file"
